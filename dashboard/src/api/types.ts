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
rights: Array<Right>,
/**
 * Where the user is told of alarms; absent for a token.
 */
contact: Contact | null, };

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
export type Right = "read" | "answer_alarms" | "run_nursery" | "export" | "curate_germplasm" | "manage_nodes" | "manage_people";

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
unacknowledged: number,
/**
 * The sites, for their names and time zones.
 */
sites: Array<Site>,
/**
 * What happened since yesterday evening, and what was left for the morning.
 */
night: Night, };

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
input: InputState,
/**
 * The channels that it is computed from, as `node/position/quantity`; empty where it is measured.
 */
derived_from: Array<string>, };

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
class: string | null,
/**
 * Whether it wakes nobody until somebody of this nursery confirms it.
 */
needs_confirmation: boolean,
/**
 * Who has confirmed it.
 */
confirmed_by: string | null, };

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
nodes: Array<Node>,
/**
 * Batches that stood here in the asked span, the leading one first.
 */
batches: Array<Batch>, };

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
input: InputState,
/**
 * Its shelving; absent where it is not shelved.
 */
shelved: Shelving | null, };

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
timeline: Array<AlarmEvent>,
/**
 * Who was told, oldest first.
 */
messages: Array<SentMessage>,
/**
 * Notes about it, oldest first.
 */
notes: Array<Note>,
/**
 * What the node judged itself on this channel meanwhile, newest first.
 */
local: Array<LocalEpisode>, };

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
export type AlarmEventKind = "raised" | "changed" | "returned" | "reopened" | "acknowledged" | "commented" | "input_lost" | "input_restored" | "went_live" | "rule_changed" | "shelved" | "unshelved" | "closed";

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
waiting: number | null,
/**
 * Of a sleeping node: when it said that it will be heard next.
 */
next_due_ms: number | null,
/**
 * The number of its firmware's release; 0 before the first.
 */
release: number | null,
/**
 * The revision of the settings that it works by; 0: as it was built.
 */
settings: number | null, };

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
created_ms: number,
/**
 * Where the user is told of alarms.
 */
contact: Contact, };

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
password: string,
/**
 * Where the user is told of alarms; nowhere where absent.
 */
contact: Contact | null, };

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

/**
 * `GET /setup`: how far the first hour has come, and what to type next.
 */
export type Setup = {
/**
 * How many sites there are.
 */
sites: number,
/**
 * How many zones there are.
 */
zones: number,
/**
 * How many zones have a crop and a stage.
 */
planted: number,
/**
 * How many nodes there are.
 */
nodes: number,
/**
 * How many of them were heard.
 */
heard: number,
/**
 * Whether any reading has come.
 */
readings: boolean,
/**
 * Where nodes connect, TLS first.
 */
mqtt: Array<Endpoint>,
/**
 * Where phones and desks of the LAN open the dashboard.
 */
https: Array<Endpoint>, };

/**
 * An address that something can be reached at.
 */
export type Endpoint = {
/**
 * Such as `mqtts://192.168.1.5:8883` or `https://miaopu.local:8443`.
 */
url: string,
/**
 * Whether it speaks TLS.
 */
tls: boolean, };

/**
 * `GET /trust`: open to everyone, so that a phone can check whom it is about to trust.
 */
export type Trust = {
/**
 * Whether the gateway has an authority of its own.
 */
present: boolean,
/**
 * The name in the authority's certificate.
 */
name: string,
/**
 * SHA-256 of the authority's certificate, in hexadecimal pairs with colons.
 */
fingerprint_sha256: string,
/**
 * Until when the authority's certificate holds.
 */
expires_ms: number,
/**
 * Where the certificate is downloaded, such as `/ca.crt`.
 */
download: string,
/**
 * Where the dashboard speaks TLS.
 */
https: Array<Endpoint>, };

/**
 * `GET /crops`: one crop that profiles are shipped for.
 */
export type Crop = {
/**
 * The crop's id, such as `tea`.
 */
crop: string,
/**
 * The crop's name.
 */
name: Name,
/**
 * How it is raised.
 */
methods: Array<CropMethod>, };

/**
 * A way of raising a crop.
 */
export type CropMethod = {
/**
 * The method's id, such as `cutting`.
 */
method: string,
/**
 * The method's name.
 */
name: Name,
/**
 * Its stages, in their order.
 */
stages: Array<CropStage>, };

/**
 * A stage of a method.
 */
export type CropStage = {
/**
 * The stage's id, such as `1-root`.
 */
stage: string,
/**
 * The stage's name.
 */
name: Name,
/**
 * How many days it takes at least; absent where not known.
 */
days_min: number | null,
/**
 * How many days it takes at most; absent where not known.
 */
days_max: number | null, };

/**
 * What grows somewhere: ids of a crop, a method and a stage.
 */
export type GrowingIds = {
/**
 * The crop.
 */
crop: string,
/**
 * The method.
 */
method: string,
/**
 * The stage.
 */
stage: string, };

/**
 * `GET /sites`: a site.
 */
export type Site = {
/**
 * The site's id.
 */
site: string,
/**
 * The site's name.
 */
name: Name,
/**
 * Degrees north.
 */
latitude_deg: number,
/**
 * Degrees east.
 */
longitude_deg: number,
/**
 * IANA time zone, such as `Asia/Shanghai`: days and nights are told in it.
 */
time_zone: string,
/**
 * Its zones.
 */
zones: Array<SiteZone>, };

/**
 * A zone in the list of a site.
 */
export type SiteZone = {
/**
 * The zone's id.
 */
zone: string,
/**
 * The zone's name.
 */
name: Name,
/**
 * What grows there by a batch or by the zone's own plan; absent where empty.
 */
growing: GrowingIds | null, };

/**
 * `POST /sites`: makes a site, or changes the one of that id.
 */
export type NewSite = {
/**
 * The id: `[a-z0-9-]`, 1 to 32.
 */
site: string,
/**
 * The name.
 */
name: Name,
/**
 * Degrees north.
 */
latitude_deg: number,
/**
 * Degrees east.
 */
longitude_deg: number,
/**
 * IANA time zone.
 */
time_zone: string, };

/**
 * `POST /zones`: makes a zone, or changes name, kind and crop of the one of that id.
 */
export type NewZone = {
/**
 * The site's id.
 */
site: string,
/**
 * The id: `[a-z0-9-]`, 1 to 32.
 */
zone: string,
/**
 * The name.
 */
name: Name,
/**
 * House or store room.
 */
kind: ZoneKind,
/**
 * What grows there; absent where empty or told by batches.
 */
growing: GrowingIds | null, };

/**
 * What a zone is.
 */
export type ZoneKind = "house" | "store_room";

/**
 * `POST /nodes`: adds a node; a known one gets a new secret.
 */
export type NewNode = {
/**
 * The site's id.
 */
site: string,
/**
 * The node's id: `[a-z0-9-]`, 1 to 32.
 */
node: string,
/**
 * The zone it stands in.
 */
zone: string, };

/**
 * The answer to `POST /nodes`: the only time that the secret is shown.
 */
export type NodeSecret = {
/**
 * The MQTT user name, `SITE/NODE`.
 */
username: string,
/**
 * The MQTT password.
 */
secret: string,
/**
 * The line of a credentials file, `SITE/NODE SECRET`.
 */
credentials: string,
/**
 * Where it connects, TLS first.
 */
mqtt: Array<Endpoint>, };

/**
 * A language that people read.
 */
export type Language = "zh" | "en";

/**
 * Where and in which language a user is told of alarms. `POST /users/{user}/contact`, and
 * `POST /session/contact` for oneself.
 */
export type Contact = {
/**
 * The e-mail address; absent where there is none.
 */
email: string | null,
/**
 * The language that comes first in messages.
 */
language: Language,
/**
 * Whether alarms wake this user.
 */
wakes: boolean, };

/**
 * `GET /notify`: how messages leave the gateway.
 */
export type Notify = {
/**
 * The channels that are configured.
 */
channels: Array<NotifyChannel>,
/**
 * Who would be told of an alarm right now.
 */
people: Array<NotifyPerson>,
/**
 * Messages that wait or are tried again.
 */
waiting: number,
/**
 * Messages that were given up.
 */
failed: number,
/**
 * Where links of messages lead.
 */
public_url: string, };

/**
 * A way that messages leave by.
 */
export type NotifyChannel = {
/**
 * `email` or `webhook`.
 */
channel: string,
/**
 * Host and port; never a secret.
 */
server: string,
/**
 * When a message last went through.
 */
last_sent_ms: number | null,
/**
 * Why the last try failed; absent where it did not.
 */
error: string | null, };

/**
 * Somebody who is told of alarms.
 */
export type NotifyPerson = {
/**
 * The user.
 */
user: string,
/**
 * The role.
 */
role: Role,
/**
 * The address.
 */
email: string, };

/**
 * `POST /notify/test`: what became of the test messages, one a channel that is configured.
 */
export type NotifyTest = {
/**
 * The messages: to the asker's e-mail, and to the webhook.
 */
results: Array<SentMessage>, };

/**
 * `GET /batches?state=open|closed|all&site&zone`.
 */
export type Batches = {
/**
 * The gateway's clock.
 */
now_ms: number,
/**
 * The batches: open ones first, then the newest first.
 */
batches: Array<Batch>, };

/**
 * A batch: plants of one origin that are raised together.
 */
export type Batch = {
/**
 * The site's id.
 */
site: string,
/**
 * The batch's id, unique in its site.
 */
batch: string,
/**
 * What people call it.
 */
label: string,
/**
 * The accession that it was raised from, as `INSTCODE:ACCENUMB`.
 */
accession: string | null,
/**
 * The accession's number in this gateway, for links.
 */
accession_id: number | null,
/**
 * The crop's id.
 */
crop: string,
/**
 * The crop's name.
 */
crop_name: Name,
/**
 * The method's id.
 */
method: string,
/**
 * The method's name.
 */
method_name: Name,
/**
 * The stage's id, now or when it was closed.
 */
stage: string,
/**
 * The stage's name.
 */
stage_name: Name,
/**
 * Since when it is at this stage.
 */
stage_since_ms: number,
/**
 * The zone it stands in; absent where it stands nowhere.
 */
zone: string | null,
/**
 * The zone's name.
 */
zone_name: Name | null,
/**
 * The bench or tray.
 */
position: string | null,
/**
 * How many plants.
 */
plants: number | null,
/**
 * When it was sown, struck or put in.
 */
started_ms: number,
/**
 * When it was closed.
 */
closed_ms: number | null,
/**
 * Why it was closed.
 */
closed_reason: string | null,
/**
 * Whether its stage gives its zone the bands that are charted and judged.
 */
leads: boolean, };

/**
 * `GET /batches/{site}/{batch}`.
 */
export type BatchDetail = {
/**
 * The gateway's clock.
 */
now_ms: number,
/**
 * The batch.
 */
batch: Batch,
/**
 * Every stage of its method, in order, with when it was there.
 */
stages: Array<BatchStage>,
/**
 * Where it stood, oldest first.
 */
placements: Array<BatchPlacement>,
/**
 * What people did to it, oldest first.
 */
events: Array<BatchEvent>,
/**
 * The ids of other batches of the same crop, the newest first.
 */
sisters: Array<string>, };

/**
 * A stage of a batch's method.
 */
export type BatchStage = {
/**
 * The stage's id.
 */
stage: string,
/**
 * The stage's name.
 */
name: Name,
/**
 * Since when; absent where the batch was never there.
 */
from_ms: number | null,
/**
 * Until when; absent where it is there now or never was.
 */
to_ms: number | null,
/**
 * How many days it takes at least; absent where not known.
 */
days_min: number | null,
/**
 * How many days it takes at most; absent where not known.
 */
days_max: number | null, };

/**
 * Where a batch stood.
 */
export type BatchPlacement = {
/**
 * The zone.
 */
zone: string,
/**
 * The zone's name.
 */
zone_name: Name,
/**
 * The bench or tray.
 */
position: string | null,
/**
 * Since when.
 */
from_ms: number,
/**
 * Until when; absent where it stands there now.
 */
to_ms: number | null, };

/**
 * Something that was done to a batch.
 */
export type BatchEvent = {
/**
 * `added`, `moved`, `staged`, `closed`, or `changed` by a plan.
 */
kind: string,
/**
 * When it was recorded.
 */
recorded_ms: number,
/**
 * Who.
 */
by: string,
/**
 * Why.
 */
reason: string | null,
/**
 * What, in both languages.
 */
words: Name, };

/**
 * `POST /batches`.
 */
export type NewBatch = {
/**
 * The site's id.
 */
site: string,
/**
 * The id: `[a-z0-9-]`, 1 to 32, unique in its site.
 */
batch: string,
/**
 * What people call it; the id where absent.
 */
label: string | null,
/**
 * The accession, as `INSTCODE:ACCENUMB`.
 */
accession: string | null,
/**
 * The crop's id.
 */
crop: string,
/**
 * The method's id.
 */
method: string,
/**
 * The stage's id; the method's first where absent.
 */
stage: string | null,
/**
 * The zone it is put in.
 */
zone: string,
/**
 * The bench or tray.
 */
position: string | null,
/**
 * How many plants.
 */
plants: number | null,
/**
 * When it was sown, struck or put in: RFC 3339 or milliseconds; now where absent.
 */
started: string | null, };

/**
 * `POST /batches/{site}/{batch}/move`.
 */
export type BatchMove = {
/**
 * The zone it goes to.
 */
zone: string,
/**
 * The bench or tray.
 */
position: string | null,
/**
 * When, RFC 3339; now where absent, never before its last move, never in the future.
 */
at: string | null,
/**
 * Why.
 */
reason: string | null, };

/**
 * `POST /batches/{site}/{batch}/stage`.
 */
export type BatchStageChange = {
/**
 * The stage it has reached.
 */
stage: string,
/**
 * When, RFC 3339; now where absent, never before its last stage, never in the future.
 */
at: string | null,
/**
 * Why.
 */
reason: string | null, };

/**
 * `POST /batches/{site}/{batch}/close`.
 */
export type BatchClose = {
/**
 * Why: dispatched, lost, discarded and the like. Never empty.
 */
reason: string,
/**
 * When, RFC 3339; now where absent.
 */
at: string | null, };

/**
 * `GET /accessions?search&limit&after`.
 */
export type Accessions = {
/**
 * How many match in all.
 */
total: number,
/**
 * The accessions by institute and number.
 */
accessions: Array<Accession>,
/**
 * What to send as `after` for the next page; absent on the last.
 */
next: number | null, };

/**
 * An accession in a list.
 */
export type Accession = {
/**
 * Its number in this gateway.
 */
id: number,
/**
 * `INSTCODE:ACCENUMB`.
 */
key: string,
/**
 * INSTCODE.
 */
institute: string,
/**
 * ACCENUMB.
 */
number: string,
/**
 * ACCENAME.
 */
name: string | null,
/**
 * CROPNAME.
 */
crop: string | null,
/**
 * Genus, species and subtaxa.
 */
taxon: string,
/**
 * ORIGCTY.
 */
origin: string | null,
/**
 * How many batches were raised from it.
 */
batches: number, };

/**
 * `GET /accessions/{id}`.
 */
export type AccessionDetail = {
/**
 * The accession.
 */
accession: Accession,
/**
 * Every MCPD descriptor in the standard's order, empty ones too; then the file's own columns.
 */
descriptors: Array<Descriptor>,
/**
 * The batches raised from it.
 */
batches: Array<Batch>, };

/**
 * One MCPD descriptor of an accession.
 */
export type Descriptor = {
/**
 * Its code, such as `COLLDATE`.
 */
code: string,
/**
 * What it is.
 */
name: Name,
/**
 * The value as it stands in the file; empty where missing.
 */
value: string,
/**
 * What the value says, where it is a code or a partial date.
 */
meaning: Name | null, };

/**
 * `POST /accessions/import?faulty=refuse|skip&check=true|false`: the body is the CSV.
 */
export type Import = {
/**
 * Whether anything was kept; never with `check=true`.
 */
applied: boolean,
/**
 * Rows of the file without its header.
 */
rows: number,
/**
 * Rows that are new.
 */
added: number,
/**
 * Rows that differ from what was there.
 */
changed: number,
/**
 * Rows that were there already.
 */
unchanged: number,
/**
 * Rows with a fault.
 */
faulty: number,
/**
 * The faults by row, at most 1,000.
 */
faults: Array<ImportFault>,
/**
 * What is odd but kept, at most 1,000.
 */
hints: Array<ImportFault>, };

/**
 * What is wrong in one field of one row.
 */
export type ImportFault = {
/**
 * The row as a spreadsheet counts: the header is row 1.
 */
row: number,
/**
 * The descriptor, such as `LATITUDE`.
 */
field: string,
/**
 * The value.
 */
value: string,
/**
 * What is wrong.
 */
message: Name,
/**
 * What to do.
 */
remedy: Name, };

/**
 * `GET /batches/{site}/{batch}/exposure`.
 */
export type BatchExposure = {
/**
 * The gateway's clock: open stages count until then.
 */
now_ms: number,
/**
 * One row a stage and quantity, and with `stage` absent one over all stages.
 */
rows: Array<Exposure>, };

/**
 * What a batch lived through in one stage, of one quantity.
 */
export type Exposure = {
/**
 * The stage's id; absent for all stages together.
 */
stage: string | null,
/**
 * The stage's name.
 */
stage_name: Name | null,
/**
 * The quantity, such as `air_temperature` or `vapour_pressure_deficit`.
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
 * From when.
 */
from_ms: number,
/**
 * Until when.
 */
to_ms: number,
/**
 * How many hours the batch stood in a zone within it.
 */
hours: number,
/**
 * The share of those hours with a usable value, 0 to 1.
 */
coverage: number,
/**
 * Least value.
 */
min: number | null,
/**
 * Mean over the covered time.
 */
mean: number | null,
/**
 * Greatest value.
 */
max: number | null,
/**
 * Hours below what the stage wants; absent where it names no lower edge.
 */
hours_below: number | null,
/**
 * Hours above what the stage wants; absent where it names no upper edge.
 */
hours_above: number | null,
/**
 * The integral that the quantity is known by: thermal time, light or VPD hours.
 */
integral: Integral | null,
/**
 * The nodes and positions it was measured by.
 */
sources: Array<string>, };

/**
 * An integral over time.
 */
export type Integral = {
/**
 * `thermal_time`, `light_integral` or `vpd_hours`.
 */
kind: string,
/**
 * The value over the covered time; nothing is filled in.
 */
value: number,
/**
 * UCUM unit: `Cel.d`, `mol/m2` or `kPa.h`.
 */
unit: string,
/**
 * Its mean a day over the days that are covered well enough; for light the daily light integral.
 */
a_day: number | null,
/**
 * UCUM unit of `a_day`.
 */
a_day_unit: string,
/**
 * How many days `a_day` is made of.
 */
days: number,
/**
 * Base temperature of thermal time and what else it was computed with.
 */
basis: Name | null, };

/**
 * `GET /batches/{site}/{batch}/series?quantity&points&hours`: a batch's quantity from its start on.
 */
export type BatchSeries = {
/**
 * The batch.
 */
batch: Batch,
/**
 * The quantity.
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
 * Width of a bucket.
 */
step_ms: number,
/**
 * Start of each bucket, counted from the batch's start.
 */
offset_ms: number[],
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
 * The stages that it went through, as offsets from the start.
 */
stages: Array<OffsetStage>, };

/**
 * A stage on an axis that begins with the batch.
 */
export type OffsetStage = {
/**
 * From and to, counted from the batch's start.
 */
span: Span,
/**
 * The stage's name.
 */
name: Name,
/**
 * What the stage wants of the quantity by day; absent where it names nothing.
 */
band: Band | null, };

/**
 * `GET /sheet?site&date`: a site's day on one sheet of paper. The day is the site's own.
 */
export type Sheet = {
/**
 * The site's id.
 */
site: string,
/**
 * The site's name.
 */
site_name: Name,
/**
 * The day, such as `2026-11-23`.
 */
date: string,
/**
 * The day's span.
 */
span: Span,
/**
 * When this was made, on the gateway's clock.
 */
now_ms: number,
/**
 * The houses and store rooms by name.
 */
zones: Array<SheetZone>,
/**
 * What people wrote down that day.
 */
notes: Array<Note>, };

/**
 * A zone on the daily sheet.
 */
export type SheetZone = {
/**
 * The zone's id.
 */
zone: string,
/**
 * The zone's name.
 */
name: Name,
/**
 * What grows there, such as `黄连 · 育苗`.
 */
crop: Name | null,
/**
 * The stage.
 */
stage: Name | null,
/**
 * The batches that stood there.
 */
batches: Array<Batch>,
/**
 * Its quantities.
 */
quantities: Array<SheetQuantity>,
/**
 * The alarms that were active that day.
 */
alarms: Array<Alarm>, };

/**
 * A quantity on the daily sheet.
 */
export type SheetQuantity = {
/**
 * The quantity.
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
 * The share of the day with a usable value, 0 to 1.
 */
coverage: number,
/**
 * Least value.
 */
min: number | null,
/**
 * Mean value.
 */
mean: number | null,
/**
 * Mean while it was day.
 */
day_mean: number | null,
/**
 * Mean while it was night.
 */
night_mean: number | null,
/**
 * Greatest value.
 */
max: number | null,
/**
 * Hours below what the stage wants; absent where it names no lower edge.
 */
hours_below: number | null,
/**
 * Hours above what the stage wants; absent where it names no upper edge.
 */
hours_above: number | null,
/**
 * Thermal time, light or VPD hours of the day.
 */
integral: Integral | null, };

/**
 * `POST /studies/preview`: what a study's file would hold. `GET /studies/export` with the same as
 * query (`batch=SITE/BATCH` once a batch, `from`, `to`) gives it as a ZIP.
 */
export type StudyRequest = {
/**
 * The batches, as `SITE/BATCH`.
 */
batches: Array<string>,
/**
 * From when, RFC 3339; the first batch's start where absent.
 */
from: string | null,
/**
 * Until when, RFC 3339; the last batch's end, or now, where absent.
 */
to: string | null, };

/**
 * What a study's file would hold.
 */
export type StudyPreview = {
/**
 * The span that is exported, fixed: ask for it again and get the same bytes.
 */
span: Span,
/**
 * From and to as the command lines have them.
 */
from: string,
/**
 * From and to as the command lines have them.
 */
to: string,
/**
 * The files of the ZIP.
 */
files: Array<StudyFile>,
/**
 * How many channels take part.
 */
channels: number,
/**
 * How many readings, about.
 */
readings: number,
/**
 * How many bytes, about.
 */
bytes: number,
/**
 * How many gaps nodes have declared in it.
 */
gaps: number,
/**
 * The exposure rows as the file would have them, at most 200.
 */
rows: Array<StudyRow>,
/**
 * Where the ZIP is, such as `/api/v1/studies/export?…`.
 */
url: string,
/**
 * The same request as command lines.
 */
commands: StudyCommands, };

/**
 * One exposure row of a study.
 */
export type StudyRow = {
/**
 * The batch, as `SITE/BATCH`.
 */
batch: string,
/**
 * The exposure.
 */
exposure: Exposure, };

/**
 * A file of a study.
 */
export type StudyFile = {
/**
 * Its name in the ZIP.
 */
name: string,
/**
 * What it holds.
 */
words: Name, };

/**
 * The same request for programs; none holds a secret.
 */
export type StudyCommands = {
/**
 * For a shell.
 */
curl: string,
/**
 * For Python.
 */
python: string,
/**
 * For R.
 */
r: string,
/**
 * For the machine of the gateway.
 */
miaopu: string, };

/**
 * An alarm's shelving: it is judged as ever and wakes nobody. `POST /alarms/{id}/unshelve`, with an
 * [`super::AlarmComment`], ends it.
 */
export type Shelving = {
/**
 * Until when.
 */
until_ms: number,
/**
 * Whether it also ends when the alarm returns to normal.
 */
one_shot: boolean,
/**
 * Who.
 */
by: string,
/**
 * Why.
 */
reason: string, };

/**
 * `POST /alarms/{id}/shelve`.
 */
export type Shelve = {
/**
 * Until when, RFC 3339 or milliseconds since 1970; at most 24 hours from now.
 */
until: string,
/**
 * Whether it also ends when the alarm returns to normal.
 */
one_shot: boolean,
/**
 * Why. Never empty.
 */
reason: string, };

/**
 * A message about an alarm.
 */
export type SentMessage = {
/**
 * `email` or `webhook`.
 */
channel: string,
/**
 * To whom: a user's name, or the webhook's host.
 */
to: string,
/**
 * `waiting`, `sent` or `failed`.
 */
state: string,
/**
 * When it was sent, or is tried next.
 */
at_ms: number | null,
/**
 * How often it was tried.
 */
attempts: number,
/**
 * Why the last try failed.
 */
error: string | null, };

/**
 * `POST /answers/look` and `POST /answers`: the token of a message's link.
 */
export type AnswerToken = {
/**
 * What stands behind `#` in the link.
 */
token: string, };

/**
 * What the page behind a message's link shows.
 */
export type AnswerCard = {
/**
 * The gateway's clock.
 */
now_ms: number,
/**
 * The alarm.
 */
alarm: Alarm,
/**
 * The site's name.
 */
site_name: Name,
/**
 * IANA time zone of the site, in which the page tells times.
 */
time_zone: string,
/**
 * What to check.
 */
check: Name,
/**
 * What to do.
 */
action: Name,
/**
 * Who the link was sent to, and answers.
 */
user: string,
/**
 * Until when the link opens.
 */
expires_ms: number,
/**
 * Whether the link was used: the button is gone.
 */
used: boolean, };

/**
 * A note that somebody leaves for the next shift. `POST /notes/{id}/done` puts it away.
 */
export type Note = {
/**
 * Its number.
 */
id: number,
/**
 * The site's id.
 */
site: string,
/**
 * The zone's id, where it is about one.
 */
zone: string | null,
/**
 * The alarm's id, where it is about one.
 */
alarm: string | null,
/**
 * What was written.
 */
text: string,
/**
 * Who.
 */
by: string,
/**
 * When.
 */
at_ms: number,
/**
 * Who has read it and put it away.
 */
done_by: string | null,
/**
 * When.
 */
done_ms: number | null, };

/**
 * `POST /notes`.
 */
export type NewNote = {
/**
 * The site's id.
 */
site: string,
/**
 * The zone's id, where it is about one.
 */
zone: string | null,
/**
 * The alarm's id, where it is about one.
 */
alarm: string | null,
/**
 * What to say: 1 to 2,000 characters.
 */
text: string, };

/**
 * `GET /notes?state=open|all`: notes, the newest first, at most 200.
 */
export type Notes = {
/**
 * The notes.
 */
notes: Array<Note>, };

/**
 * What happened since yesterday evening; part of the overview.
 */
export type Night = {
/**
 * Since when: 18:00 of the site's time before.
 */
from_ms: number,
/**
 * The alarms that were raised since, the newest first, at most 50.
 */
alarms: Array<Alarm>,
/**
 * How many were raised.
 */
raised: number,
/**
 * How many people were told of.
 */
told: number,
/**
 * Notes that nobody has put away.
 */
notes: Array<Note>, };

/**
 * `POST /limits/confirm`: a limit of class C or G is right for this nursery, and wakes from now on.
 */
export type ConfirmLimit = {
/**
 * The site's id.
 */
site: string,
/**
 * The zone whose crop and stage it belongs to.
 */
zone: string,
/**
 * The quantity.
 */
quantity: string,
/**
 * Above or below.
 */
side: Side,
/**
 * The limit, as the page showed it: another one is refused.
 */
limit: number,
/**
 * Why it is right here. Never empty.
 */
reason: string, };

/**
 * An episode that a node judged itself, link or no link.
 */
export type LocalEpisode = {
/**
 * The number of the limit on the wire.
 */
rule: number,
/**
 * When it began; absent where that is not known any more.
 */
raised_ms: number | null,
/**
 * When it ended; absent while it lasts.
 */
ended_ms: number | null,
/**
 * It ended because the limit was taken away or the node restarted: nothing is known of the value.
 */
cancelled: boolean,
/**
 * The node had no clock: times are estimates.
 */
uncertain: boolean,
/**
 * The outputs that it drove, one bit each: 1 siren, 2 relay 1, 4 relay 2 and so on.
 */
outputs: number, };

/**
 * What a person sets on a node: one document, which replaces the one from before. The gateway adds the
 * limits that hold and sends both.
 */
export type NodeSettings = {
/**
 * How often it samples, in milliseconds.
 */
interval_ms: number,
/**
 * Report by exception: the longest silence of a channel, in milliseconds; absent: every reading.
 */
heartbeat_ms: number | null,
/**
 * On a battery: how often it connects, in milliseconds; absent: it stays connected.
 */
connect_ms: number | null,
/**
 * Whom it connects to, `host:port`; empty: as it was provisioned.
 */
gateways: Array<string>,
/**
 * The channels that are not as the node was built.
 */
channels: Array<NodeChannelSettings>,
/**
 * Whether it judges the limits that wake somebody by itself.
 */
local_limits: boolean,
/**
 * Outputs of single limits. Otherwise critical and high ones drive the siren, others nothing.
 */
outputs: Array<NodeOutputs>, };

/**
 * The settings of one channel.
 */
export type NodeChannelSettings = {
/**
 * Its place in the node's list, from 0.
 */
channel: number,
/**
 * Whether it is read.
 */
enabled: boolean,
/**
 * Where it hangs; absent: as provisioned.
 */
position: string | null,
/**
 * With report by exception: a change of so much is reported, in the quantity's unit.
 */
deadband: number | null,
/**
 * Absent: the factory's.
 */
calibration: NodeCalibration | null, };

/**
 * A straight line through two points, in the quantity's unit.
 */
export type NodeCalibration = {
/**
 * Its number, from 1; a new measurement has a new one.
 */
number: number,
/**
 * The first point: what the node said without a calibration.
 */
raw_low: number,
/**
 * The first point: what is true.
 */
reference_low: number,
/**
 * The second point, whose raw value is greater.
 */
raw_high: number,
/**
 * The second point: what is true.
 */
reference_high: number,
/**
 * Who measured it.
 */
measured_by: string,
/**
 * When: a date, `2026-11-23`.
 */
measured_on: string, };

/**
 * The outputs that one limit drives on the node.
 */
export type NodeOutputs = {
/**
 * The channel's place in the node's list.
 */
channel: number,
/**
 * `high` or `low`.
 */
side: string,
/**
 * `critical`, `high`, `medium` or `low`.
 */
severity: string,
/**
 * One bit each: 1 siren, 2 relay 1, 4 relay 2 and so on.
 */
outputs: number, };

/**
 * `POST /nodes/{site}/{node}/settings`.
 */
export type NodeSettingsChange = {
/**
 * The settings, whole.
 */
settings: NodeSettings,
/**
 * Why; kept in the record of changes.
 */
why: string, };

/**
 * How a node's settings stand.
 */
export type NodeSettingsState = "none" | "pending" | "applied" | "refused" | "rolled_back";

/**
 * `GET /nodes/{site}/{node}/settings`.
 */
export type NodeStanding = {
/**
 * What a person set; absent where nobody did.
 */
settings: NodeSettings | null,
/**
 * When.
 */
set_ms: number | null,
/**
 * By whom.
 */
by: string | null,
/**
 * Why.
 */
why: string | null,
/**
 * How they stand.
 */
state: NodeSettingsState,
/**
 * Their revision; 0 where nothing was made of them yet.
 */
revision: number,
/**
 * The revision that the node works by.
 */
in_force: number | null,
/**
 * Where the node refused them: its word.
 */
detail: string | null,
/**
 * Why nothing could be made of them, where they no longer fit the node.
 */
fault: Name | null,
/**
 * The node's channels.
 */
channels: Array<NodeChannel>,
/**
 * The limits that it judges itself.
 */
limits: Array<NodeLimit>,
/**
 * Limits that found no room.
 */
limits_left: number,
/**
 * What it was told to do last, newest first.
 */
commands: Array<NodeCommandStanding>, };

/**
 * What the sensor said, and what was true then, in the unit of the channel.
 */
export type CalibrationPoint = {
/**
 * What the sensor said, before any calibration of the gateway.
 */
raw: number,
/**
 * What the reference said.
 */
reference: number, };

/**
 * `POST /channels/{id}/calibrations`: either `offset`, or one or two `points`.
 */
export type NewCalibration = {
/**
 * From when it holds, until the next one does: RFC 3339, or milliseconds since 1970.
 */
from: string,
/**
 * What is added to every reading, in the unit of the channel.
 */
offset: number | null,
/**
 * One point makes an offset, two make a straight line.
 */
points: Array<CalibrationPoint>,
/**
 * With what it was measured, such as the number of a certificate; may be empty.
 */
note: string, };

/**
 * `POST /calibrations/{number}/withdrawal`.
 */
export type CalibrationWithdrawal = {
/**
 * Why it does not hold after all.
 */
why: string, };

/**
 * That a calibration was withdrawn.
 */
export type CalibrationWithdrawn = {
/**
 * When.
 */
at_ms: number,
/**
 * By whom.
 */
by: string,
/**
 * Why.
 */
why: string, };

/**
 * A span of a channel that was or is computed again, and what became of it.
 */
export type CalibrationWork = {
/**
 * From when.
 */
from_ms: number,
/**
 * Until when; absent where it has no end.
 */
to_ms: number | null,
/**
 * Readings that were looked at so far.
 */
readings: number,
/**
 * Readings whose flag has become another one.
 */
flags: number,
/**
 * Derived samples that have become others.
 */
derived: number,
/**
 * When it was done as a whole; absent while it is not.
 */
done_ms: number | null, };

/**
 * A version of a channel's calibration.
 */
export type Calibration = {
/**
 * Its number: a later one is greater.
 */
number: number,
/**
 * From when it holds.
 */
from_ms: number,
/**
 * Until when it holds; absent where nothing follows.
 */
to_ms: number | null,
/**
 * Whether it ever holds: it is neither withdrawn nor replaced by a later one from the same time.
 */
holds: boolean,
/**
 * Its points, one or two. An offset is the point whose raw value is 0.
 */
points: Array<CalibrationPoint>,
/**
 * True steps for one raw step; 1 for an offset.
 */
gain: number,
/**
 * Who measured it.
 */
by: string,
/**
 * When it was entered.
 */
entered_ms: number,
/**
 * With what it was measured.
 */
note: string,
/**
 * That and why it was withdrawn; absent where it was not.
 */
withdrawn: CalibrationWithdrawn | null,
/**
 * What was or is computed again because of it.
 */
work: Array<CalibrationWork>, };

/**
 * `GET /channels/{id}/calibrations`: the newest first.
 */
export type Calibrations = {
/**
 * The channel's id.
 */
channel: number,
/**
 * UCUM unit of the points.
 */
unit: string,
/**
 * The number of the calibration that the node itself applies, before the gateway's; 0 for none.
 */
on_node: number,
/**
 * Every version, the withdrawn ones too.
 */
calibrations: Array<Calibration>, };

/**
 * A span in which readings have another value.
 */
export type CalibrationSpan = {
/**
 * From when.
 */
from_ms: number,
/**
 * Until when; absent where it has no end.
 */
to_ms: number | null, };

/**
 * What a calibration that was entered or withdrawn touches.
 */
export type CalibrationTouched = {
/**
 * The calibration.
 */
number: number,
/**
 * Where readings have another value since.
 */
spans: Array<CalibrationSpan>,
/**
 * How many readings are stored there.
 */
readings: number,
/**
 * How many samples that are derived from the channel are stored there.
 */
derived: number,
/**
 * The channel's calibrations as they are now.
 */
now: Calibrations, };

/**
 * A channel as the node says it.
 */
export type NodeChannel = {
/**
 * Its place in the list, from 0.
 */
channel: number,
/**
 * What it measures.
 */
quantity: string,
/**
 * In which unit.
 */
unit: string,
/**
 * Where.
 */
position: string,
/**
 * With which chip.
 */
sensor: string,
/**
 * The number of the calibration in force; 0 is the factory's.
 */
calibration: number,
/**
 * Whether it is read.
 */
enabled: boolean, };

/**
 * A limit that a node judges itself.
 */
export type NodeLimit = {
/**
 * Its number on the wire.
 */
rule: number,
/**
 * The channel's place in the list.
 */
channel: number,
/**
 * `high` or `low`.
 */
side: string,
/**
 * The limit, in the quantity's unit; itself still good.
 */
threshold: number,
/**
 * How far inside a value is back.
 */
deadband: number,
/**
 * For how many seconds it must be broken.
 */
on_delay_s: number,
/**
 * For how many seconds it must be kept again.
 */
off_delay_s: number,
/**
 * What it drives, one bit each.
 */
outputs: number, };

/**
 * What a node can be told to do.
 */
export type NodeCommand = "identify" | "reboot" | "rebirth";

/**
 * `POST /nodes/{site}/{node}/commands`.
 */
export type NodeAsk = {
/**
 * What to do.
 */
command: NodeCommand,
/**
 * Why; kept in the record of changes.
 */
why: string | null, };

/**
 * What became of a command.
 */
export type NodeOutcome = "waiting" | "done" | "refused" | "unknown" | "no_answer";

/**
 * A command and what became of it.
 */
export type NodeCommandStanding = {
/**
 * What was asked.
 */
command: NodeCommand,
/**
 * When.
 */
asked_ms: number,
/**
 * By whom.
 */
by: string,
/**
 * What became of it.
 */
outcome: NodeOutcome,
/**
 * The node's word, where it refused.
 */
detail: string | null, };

/**
 * `GET /firmware`: every release, and what every node was offered last.
 */
export type Firmware = {
/**
 * The gateway's clock.
 */
now_ms: number,
/**
 * By target, newest first.
 */
releases: Array<FirmwareRelease>,
/**
 * By site and node; only nodes that were offered something.
 */
rollouts: Array<FirmwareRollout>, };

/**
 * A release of a firmware, signed. `POST /firmware/releases` takes the bytes of a package (`.mpf`).
 */
export type FirmwareRelease = {
/**
 * What it is made for, such as `mps2-an385`.
 */
target: string,
/**
 * Counts up; a greater one is newer.
 */
release: number,
/**
 * The version for people.
 */
version: string,
/**
 * The length of the image, in bytes.
 */
length: number,
/**
 * SHA-256 of the image, in hexadecimal.
 */
sha256: string,
/**
 * Short name of the key that signed it. Which keys count, each node decides by those built into it.
 */
key: string,
/**
 * When it was added.
 */
added_ms: number,
/**
 * By whom.
 */
by: string, };

/**
 * How far a node has come with what it was offered last.
 */
export type FirmwareState = "offered" | "wanting" | "staged" | "trial" | "confirmed" | "rolled_back" | "refused" | "cancelled";

/**
 * What a node was offered last.
 */
export type FirmwareRollout = {
/**
 * The site's id.
 */
site: string,
/**
 * The node's id.
 */
node: string,
/**
 * What the release is made for.
 */
target: string,
/**
 * The release.
 */
release: number,
/**
 * How far it has come.
 */
state: FirmwareState,
/**
 * How many bytes of the image the node has.
 */
had: number,
/**
 * How many the image has.
 */
length: number,
/**
 * Where it was refused: why, in the node's own short word.
 */
detail: string,
/**
 * When it was offered.
 */
offered_ms: number,
/**
 * By whom.
 */
by: string,
/**
 * When its state changed last.
 */
changed_ms: number, };

/**
 * `POST /nodes/{site}/{node}/firmware`: offers a release to a node. `DELETE` takes the offer back.
 */
export type FirmwareOffer = {
/**
 * The release, of the node's own target.
 */
release: number, };

/**
 * `GET /dead-letters`: the newest first.
 */
export type DeadLetters = {
/**
 * The gateway's clock.
 */
now_ms: number,
/**
 * How many are kept.
 */
kept: number,
/**
 * How many were dropped because newer ones came.
 */
dropped: number,
/**
 * The newest of them.
 */
letters: Array<DeadLetter>, };

/**
 * A message that could not be understood.
 */
export type DeadLetter = {
/**
 * Its number, for good.
 */
number: number,
/**
 * When it came.
 */
received_ms: number,
/**
 * The topic it came on.
 */
topic: string,
/**
 * What is wrong with it.
 */
reason: string,
/**
 * How long it was, in bytes.
 */
bytes: number,
/**
 * What is kept of it, in hexadecimal.
 */
payload: string,
/**
 * It is kept as it came; one that was cut can't be taken again.
 */
whole: boolean,
/**
 * What became of it.
 */
state: DeadLetterState,
/**
 * When it was taken again last.
 */
tried_ms: number | null, };

/**
 * What became of a dead letter.
 */
export type DeadLetterState = "kept" | "asked" | "replayed" | "refused";
