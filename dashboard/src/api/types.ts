// Made from gateway/api/src/types.rs. Do not edit: change the Rust types and run
//   MIAOPU_WRITE_GENERATED=1 cargo test -p api --lib generated

/**
 * A name in both languages.
 */
export type Name = {
/**
 * Chinese.
 */
zh: string,
/**
 * English.
 */
en: string, };

/**
 * The body of every error answer.
 */
export type Problem = {
/**
 * A name for programs, such as `not_found`.
 */
code: string,
/**
 * What is wrong and what to do, for people, in both languages.
 */
message: Name,
/**
 * The field at fault.
 */
field: string | null, };

/**
 * `GET /health`: open to everyone, says nothing about the nursery.
 */
export type Health = {
/**
 * `ok`, or `degraded` where a part does not work.
 */
status: HealthStatus,
/**
 * Version of the gateway.
 */
version: string,
/**
 * The gateway's clock.
 */
now_ms: number,
/**
 * How many times faster than the wall the clock runs; 1 outside a demonstration.
 */
speed: number,
/**
 * Whether this is the demonstration nursery.
 */
demonstration: boolean,
/**
 * What does not work, by part, in a person's words.
 */
troubles: Array<Name>, };

/**
 * How well the gateway is.
 */
export type HealthStatus = "ok" | "degraded";

/**
 * `POST /session`: sign in.
 */
export type SignIn = {
/**
 * The user's name.
 */
user: string,
/**
 * The user's password.
 */
password: string, };

/**
 * `GET /session`: who is signed in.
 */
export type Session = {
/**
 * The user's or the token's name.
 */
user: string,
/**
 * What the user may do.
 */
role: Role,
/**
 * Whether the password is the printed first one and waits to be changed.
 */
must_change_password: boolean,
/**
 * The rights of the role, so that the page shows only what will work.
 */
rights: Array<Right>, };

/**
 * `POST /session/password`: change one's own password.
 */
export type PasswordChange = {
/**
 * The password until now.
 */
old: string,
/**
 * The new one, of at least 10 characters.
 */
new: string, };

/**
 * A role.
 */
export type Role = "viewer" | "technician" | "grower" | "researcher" | "admin";

/**
 * A right that a role has or lacks.
 */
export type Right = "read" | "answer_alarms" | "run_nursery" | "export" | "manage_nodes" | "manage_people";

/**
 * `GET /overview`: the houses, worst first.
 */
export type Overview = {
/**
 * The gateway's clock.
 */
now_ms: number,
/**
 * The houses and store rooms, worst first.
 */
zones: Array<ZoneSummary>,
/**
 * Open alarms that nobody has acknowledged, all zones together.
 */
unacknowledged: number, };

/**
 * A house or store room on one tile.
 */
export type ZoneSummary = {
/**
 * The site's id.
 */
site: string,
/**
 * The zone's id, unique in its site.
 */
zone: string,
/**
 * The zone's name.
 */
name: Name,
/**
 * The site's name.
 */
site_name: Name,
/**
 * The crop, absent where none was named.
 */
crop: Name | null,
/**
 * The stage of the crop.
 */
stage: Name | null,
/**
 * The worst that is wrong here, absent where all is well.
 */
worst: Deviation | null,
/**
 * Open alarms by severity.
 */
alarms: AlarmCounts,
/**
 * The three or so channels worth showing, in the order of the tile.
 */
channels: Array<ChannelGlance>,
/**
 * Channels that are stale or faulted.
 */
silent_channels: number,
/**
 * The newest reading of the zone; absent where there is none.
 */
newest_ms: number | null, };

/**
 * How far a channel is outside its band.
 */
export type Deviation = {
/**
 * The channel.
 */
channel: number,
/**
 * What it measures, such as `relative_humidity`.
 */
quantity: string,
/**
 * UCUM unit.
 */
unit: string,
/**
 * Above or below.
 */
side: Side,
/**
 * How far beyond the band or limit, in the unit; never negative.
 */
by: number,
/**
 * Which edge was left: the band the crop wants, or an alarm limit.
 */
beyond: Edge,
/**
 * Since when; absent where not known.
 */
since_ms: number | null,
/**
 * The worst open alarm on it.
 */
alarm: string | null,
/**
 * Severity of that alarm.
 */
severity: Severity | null, };

/**
 * Which edge of what the crop wants was left.
 */
export type Edge = "band" | "limit";

/**
 * Above or below.
 */
export type Side = "high" | "low";

/**
 * Open alarms by severity.
 */
export type AlarmCounts = {
/**
 * Lethal soon.
 */
critical: number,
/**
 * Damage.
 */
high: number,
/**
 * Growth suffers.
 */
medium: number,
/**
 * Advice.
 */
low: number, };

/**
 * A channel on a tile: now, and the last day as a small line.
 */
export type ChannelGlance = {
/**
 * The channel with its latest sample.
 */
channel: Channel,
/**
 * The band and limits in force now.
 */
band: Band | null,
/**
 * Mean of each half hour of the last 24 h, oldest first; null where there is nothing.
 */
sparkline: Array<number | null>, };

/**
 * `GET /channels`: a quantity measured at a place.
 */
export type Channel = {
/**
 * The channel's id.
 */
id: number,
/**
 * The site's id.
 */
site: string,
/**
 * The zone its node stands in; absent where the node was not placed.
 */
zone: string | null,
/**
 * The node's id.
 */
node: string,
/**
 * Where on the node's bench.
 */
position: string,
/**
 * What it measures, such as `air_temperature`.
 */
quantity: string,
/**
 * UCUM unit.
 */
unit: string,
/**
 * Decimal places worth showing.
 */
decimals: number,
/**
 * The latest sample by event time; absent where there is none yet.
 */
latest: Latest | null,
/**
 * Good, stale or faulted.
 */
input: InputState, };

/**
 * The latest sample of a channel.
 */
export type Latest = {
/**
 * When, RFC 3339.
 */
time: string,
/**
 * When, in milliseconds since 1970.
 */
time_ms: number,
/**
 * The value in the channel's unit; absent where a fault stands in its place.
 */
value: number | null,
/**
 * The fault, such as `not_present`.
 */
fault: string | null,
/**
 * The QARTOD flag, such as `good`.
 */
quality: string, };

/**
 * What can be said of a channel's input.
 */
export type InputState = "good" | "uncertain" | "stale" | "fault" | "waiting";

/**
 * The band a crop wants and its alarm limits; each edge may be absent.
 */
export type Band = {
/**
 * Lower edge of what the crop wants.
 */
target_low: number | null,
/**
 * Upper edge of what the crop wants.
 */
target_high: number | null,
/**
 * Limits, most severe first.
 */
limits: Array<BandLimit>,
/**
 * Class of the source of the target, `A` to `G`.
 */
target_class: string | null,
/**
 * Where the numbers come from.
 */
sources: Array<string>,
/**
 * A remark in both languages, such as that another species stands in.
 */
note: string | null, };

/**
 * One alarm limit.
 */
export type BandLimit = {
/**
 * Above or below.
 */
side: Side,
/**
 * How severe.
 */
severity: Severity,
/**
 * The limit in the channel's unit.
 */
limit: number,
/**
 * Whether it wakes people; a class C or G limit does not until it is confirmed.
 */
wakes: boolean,
/**
 * Class of the source of the limit.
 */
class: string | null, };

/**
 * `GET /zones/{site}/{zone}?from&to`: a house with what its charts need.
 */
export type ZoneDetail = {
/**
 * The tile.
 */
summary: ZoneSummary,
/**
 * Every channel of the zone.
 */
channels: Array<Channel>,
/**
 * Per quantity, the band through the asked span: one step per change of day, night or stage.
 */
bands: Array<BandTrack>,
/**
 * Nights in the asked span.
 */
nights: Array<Span>,
/**
 * Stages in the asked span.
 */
stages: Array<StageSpan>,
/**
 * How day and night are told apart here: `sun`, `lamp` or `measured_light`.
 */
day_source: string,
/**
 * Open and recent alarms that touch the asked span.
 */
alarms: Array<Alarm>,
/**
 * Nodes placed here.
 */
nodes: Array<Node>, };

/**
 * The band of one quantity through time.
 */
export type BandTrack = {
/**
 * The quantity.
 */
quantity: string,
/**
 * Steps in time order; each holds until the next.
 */
steps: Array<BandStep>, };

/**
 * A band from a time on.
 */
export type BandStep = {
/**
 * From when.
 */
from_ms: number,
/**
 * The band; absent where none applies.
 */
band: Band | null, };

/**
 * A span of time.
 */
export type Span = {
/**
 * From, included.
 */
from_ms: number,
/**
 * To, not included.
 */
to_ms: number, };

/**
 * A stage through time.
 */
export type StageSpan = {
/**
 * When.
 */
span: Span,
/**
 * The stage.
 */
stage: Name, };

/**
 * `GET /channels/{id}/series?from&to&points`: columns for a chart.
 */
export type Series = {
/**
 * The channel.
 */
channel: number,
/**
 * UCUM unit of the value columns.
 */
unit: string,
/**
 * Width of a bucket; buckets widen to whole roll-up steps.
 */
step_ms: number,
/**
 * Start of each bucket.
 */
time_ms: number[],
/**
 * Least value; null where there is none.
 */
min: Array<number | null>,
/**
 * Mean value; null where there is none.
 */
mean: Array<number | null>,
/**
 * Greatest value; null where there is none.
 */
max: Array<number | null>,
/**
 * How many values.
 */
count: Array<number>,
/**
 * The worst QARTOD number of the bucket; null where there is nothing.
 */
quality: Array<number | null>, };

/**
 * Severity of an alarm.
 */
export type Severity = "critical" | "high" | "medium" | "low";

/**
 * ISA-18.2 state of an alarm.
 */
export type AlarmState = "unacknowledged" | "acknowledged" | "returned_unacknowledged" | "normal";

/**
 * What an alarm is about.
 */
export type AlarmKind = "limit" | "stale" | "fault" | "offline";

/**
 * `GET /alarms?state=open|unacknowledged|active|closed|all`: one episode.
 */
export type Alarm = {
/**
 * The episode's id.
 */
id: string,
/**
 * What it is about.
 */
kind: AlarmKind,
/**
 * Its state.
 */
state: AlarmState,
/**
 * How severe it is now.
 */
severity: Severity,
/**
 * The site's id.
 */
site: string,
/**
 * The zone's id.
 */
zone: string | null,
/**
 * The zone's name.
 */
zone_name: Name | null,
/**
 * The node's id.
 */
node: string | null,
/**
 * The channel.
 */
channel: number | null,
/**
 * Where on the node's bench.
 */
position: string | null,
/**
 * The quantity.
 */
quantity: string | null,
/**
 * UCUM unit of the values.
 */
unit: string | null,
/**
 * Above or below, for a limit.
 */
side: Side | null,
/**
 * The limit in force.
 */
limit: number | null,
/**
 * The value that raised it.
 */
value: number | null,
/**
 * The worst value so far.
 */
peak: number | null,
/**
 * The latest value of the channel.
 */
current: number | null,
/**
 * First sample beyond the limit, RFC 3339.
 */
started: string,
/**
 * First sample beyond the limit.
 */
started_ms: number,
/**
 * When the on-delay was met.
 */
raised_ms: number,
/**
 * When it returned to normal.
 */
returned_ms: number | null,
/**
 * Who acknowledged.
 */
acknowledged_by: string | null,
/**
 * When it was acknowledged.
 */
acknowledged_ms: number | null,
/**
 * What was said with the acknowledgement.
 */
comment: string | null,
/**
 * Whether it wakes people.
 */
wakes: boolean,
/**
 * Whether it comes from imported or late data.
 */
history: boolean,
/**
 * Class of the limit's source.
 */
class: string | null,
/**
 * Whether the channel has no fresh data, so that the state is frozen.
 */
input: InputState, };

/**
 * `GET /alarms`.
 */
export type Alarms = {
/**
 * The gateway's clock.
 */
now_ms: number,
/**
 * The alarms: open ones first, then the newest first.
 */
alarms: Array<Alarm>,
/**
 * Whether there are more than were sent.
 */
more: boolean, };

/**
 * `GET /alarms/{id}`.
 */
export type AlarmDetail = {
/**
 * The alarm.
 */
alarm: Alarm,
/**
 * What to check, in both languages.
 */
check: Name,
/**
 * What to do, in both languages.
 */
action: Name,
/**
 * What happened, oldest first.
 */
timeline: Array<AlarmEvent>, };

/**
 * One line of an alarm's timeline.
 */
export type AlarmEvent = {
/**
 * What happened.
 */
kind: AlarmEventKind,
/**
 * When, in the data's time.
 */
at_ms: number,
/**
 * When the gateway learnt of it.
 */
seen_ms: number,
/**
 * Who did it.
 */
by: string | null,
/**
 * What was said.
 */
comment: string | null,
/**
 * The value then.
 */
value: number | null,
/**
 * The severity from then on.
 */
severity: Severity | null, };

/**
 * What happened to an alarm.
 */
export type AlarmEventKind = "raised" | "changed" | "returned" | "reopened" | "acknowledged" | "commented" | "input_lost" | "input_restored" | "went_live" | "rule_changed" | "closed";

/**
 * `POST /alarms/{id}/acknowledge` and `/comment`.
 */
export type AlarmComment = {
/**
 * What the person says; may be empty when acknowledging. At most 2,000 characters.
 */
comment: string, };

/**
 * A node.
 */
export type Node = {
/**
 * The site's id.
 */
site: string,
/**
 * The node's id.
 */
node: string,
/**
 * The zone it stands in.
 */
zone: string | null,
/**
 * Whether it is connected; absent where it was never heard.
 */
online: boolean | null,
/**
 * Its firmware.
 */
firmware: string | null,
/**
 * Its latest birth.
 */
birth_ms: number | null,
/**
 * The newest reading.
 */
newest_ms: number | null,
/**
 * How often it samples.
 */
interval_ms: number | null,
/**
 * Readings waiting in its flash at its last birth.
 */
waiting: number | null, };

/**
 * An event of `GET /events`, one JSON object per server-sent `data:` line.
 */
export type Event = { "type": "clock",
/**
 * The gateway's clock.
 */
now_ms: number, } | { "type": "samples",
/**
 * The channels, with their latest.
 */
channels: Array<Channel>, } | { "type": "alarm",
/**
 * The alarm as it is now.
 */
alarm: Alarm, } | { "type": "node",
/**
 * The node as it is now.
 */
node: Node, } | { "type": "configuration" } | { "type": "lagged" };

/**
 * `GET /users`: who may sign in.
 */
export type Users = {
/**
 * The users, by name.
 */
users: Array<User>, };

/**
 * A user.
 */
export type User = {
/**
 * The name to sign in with.
 */
user: string,
/**
 * What the user may do.
 */
role: Role,
/**
 * Whether the password waits to be changed.
 */
must_change_password: boolean,
/**
 * Since when the user exists.
 */
created_ms: number, };

/**
 * `POST /users`: add a user.
 */
export type NewUser = {
/**
 * The name to sign in with: 1 to 64 characters, without blanks at its ends.
 */
user: string,
/**
 * What the user may do.
 */
role: Role,
/**
 * The first password, of at least 10 characters; the user changes it at the first sign-in.
 */
password: string, };

/**
 * `GET /tokens`: the bearer tokens for programs, without their secrets.
 */
export type Tokens = {
/**
 * The tokens, by name.
 */
tokens: Array<Token>, };

/**
 * A bearer token for a program.
 */
export type Token = {
/**
 * The token's name.
 */
name: string,
/**
 * What the program may do.
 */
role: Role,
/**
 * Since when the token exists.
 */
created_ms: number, };

/**
 * `POST /tokens`: add a token.
 */
export type NewToken = {
/**
 * The token's name: 1 to 64 characters, without blanks at its ends.
 */
name: string,
/**
 * What the program may do.
 */
role: Role, };

/**
 * The answer to `POST /tokens`: the only time that the secret is shown.
 */
export type TokenSecret = {
/**
 * The token's name.
 */
name: string,
/**
 * What the program may do.
 */
role: Role,
/**
 * What the program sends as `Authorization: Bearer …`.
 */
secret: string, };
