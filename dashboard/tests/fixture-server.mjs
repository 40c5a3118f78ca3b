// A gateway made of sines, for looking at the page and testing it without the real one: houses,
// nights, gaps, alarms, and a live stream on a clock that is ahead of the machine's and faster.
// Development only; nothing here is served by Miaopu. A cookie `scenario` chooses what goes on:
// alarm (default), calm, drift, night (well now, but not in the night), empty; a cookie `world` keeps what one visitor does from the others.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

import { gauges } from './fixtures/gauge.mjs';
import { night } from './fixtures/night.mjs';
import { nursery } from './fixtures/nursery.mjs';

const DIST = process.env.FIXTURE_DIST ?? fileURLToPath(new URL('../dist/', import.meta.url));
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const ZONE_MS = 8 * HOUR;
const SPEED = Number(process.env.FIXTURE_SPEED ?? 10);
const START = Date.parse('2027-05-18T13:40:00+08:00');
const wallStart = Date.now();
const now = () => START + (Date.now() - wallStart) * SPEED;

const name = (zh, en) => ({ zh, en });
const SITE = name('南川示范苗圃', 'Nanchuan demonstration nursery');

const noise = (seed, t) => {
  let h = (Math.floor(t / MINUTE) * 2654435761 + seed * 40503) >>> 0;
  h ^= h >>> 15;
  h = Math.imul(h, 2246822519) >>> 0;
  h ^= h >>> 13;
  return h / 2 ** 32 - 0.5;
};
const smooth = (seed, t, period) => {
  const at = Math.floor(t / period);
  const share = t / period - at;
  const eased = share * share * (3 - 2 * share);
  return noise(seed, at * MINUTE) * (1 - eased) + noise(seed, (at + 1) * MINUTE) * eased;
};
const hour = (t) => (((t + ZONE_MS) % DAY) + DAY) % DAY / HOUR;
const sun = (t) => Math.max(0, Math.sin(((hour(t) - 5.9) / 13.4) * Math.PI));

/** Since when the mist of house 2 fails, and house 3 runs warm. */
const FAILED = START - 47 * MINUTE;

const models = {
  air_temperature: (h, t) => h.t + 1.2 * smooth(h.n, t, 5 * HOUR) + h.swing * (sun(t - HOUR) ** 1.2) + 0.25 * noise(h.n, t) + (h.n === 3 && t > START - 100 * MINUTE && !well() ? Math.min(2.6, (t - START + 100 * MINUTE) / (30 * MINUTE)) : 0),
  relative_humidity: (h, t) => Math.min(99.6, Math.max(20, h.rh - 13 * sun(t - HOUR) + 5 * smooth(h.n + 9, t, 3 * HOUR) + 1.2 * noise(h.n + 5, t) - (h.n === 2 && t > FAILED && !well() ? Math.min(31, (t - FAILED) / (1.1 * MINUTE)) : 0))),
  vapour_pressure_deficit: (h, t) => {
    const temp = models.air_temperature(h, t);
    return 0.6108 * Math.exp((17.27 * temp) / (temp + 237.3)) * (1 - models.relative_humidity(h, t) / 100);
  },
  illuminance: (h, t) => Math.max(0, h.light * sun(t) * (0.72 + 0.5 * smooth(h.n + 3, t, 40 * MINUTE)) + (sun(t) > 0 ? 300 * noise(h.n, t) : 0)),
  co2: (h, t) => 470 + 210 * (1 - sun(t)) + 60 * smooth(h.n + 7, t, 2 * HOUR) + 8 * noise(h.n, t),
  substrate_temperature: (h, t) => h.t + 0.6 + h.swing * 0.42 * sun(t - 3 * HOUR) + 0.5 * smooth(h.n + 2, t, 9 * HOUR),
  substrate_moisture: (h, t) => 34 + 6 * (1 - (((t + h.n * HOUR) % (9 * HOUR)) / (9 * HOUR))) + 0.3 * noise(h.n, t),
};
let scenarioNow = 'alarm';
const well = () => scenarioNow === 'calm' || scenarioNow === 'night';
/** The world of the request that is being answered. */
let here;

const UNITS = { air_temperature: ['Cel', 1], relative_humidity: ['%', 1], vapour_pressure_deficit: ['kPa', 2], illuminance: ['lx', 0], co2: ['[ppm]', 0], substrate_temperature: ['Cel', 1], substrate_moisture: ['%', 1] };

const houses = [
  { n: 1, zone: 'house-1', name: name('1 号房 · 南川米', 'House 1 · Nanchuan rice'), crop: name('南川米', 'Nanchuan rice'), stage: name('二叶期', 'two-leaf stage'), t: 20.5, swing: 6, rh: 82, light: 42_000 },
  { n: 2, zone: 'house-2', name: name('2 号房 · 蓝莓', 'House 2 · Blueberry'), crop: name('蓝莓', 'Blueberry'), stage: name('嫩枝扦插 · 生根', 'softwood cuttings · rooting'), t: 22, swing: 5, rh: 96, light: 18_000 },
  { n: 3, zone: 'house-3', name: name('3 号房 · 大树茶', 'House 3 · Big-tree tea'), crop: name('大树茶', 'Big-tree tea'), stage: name('短穗扦插', 'single-node cuttings'), t: 21.5, swing: 4.5, rh: 90, light: 14_000 },
  { n: 4, zone: 'house-4', name: name('4 号房 · 黄连', 'House 4 · Goldthread'), crop: name('黄连', 'Goldthread (Coptis)'), stage: name('育苗', 'seedlings'), t: 15.5, swing: 4, rh: 93, light: 7_000 },
  { n: 5, zone: 'house-5', name: name('5 号房 · 方竹', 'House 5 · Fangzhu bamboo'), crop: name('金佛山方竹', 'Fangzhu bamboo'), stage: name('容器苗', 'container seedlings'), t: 18, swing: 5, rh: 88, light: 20_000 },
];

const limit = (side, severity, value, wakes = true, source = 'A') => ({ side, severity, limit: value, wakes, class: source, needs_confirmation: !wakes, confirmed_by: null });
function band(house, quantity, t) {
  const bare = bandOf(house, quantity, t);
  return bare && here ? { ...bare, limits: bare.limits.map((one) => nightRoutes.confirmed(here, house.zone, quantity, one)) } : bare;
}
function bandOf(house, quantity, t) {
  const day = sun(t) > 0;
  const base = { sources: ['NY/T 2118', 'Lieth 2008'], note: null };
  switch (quantity) {
    case 'air_temperature': {
      const low = house.t - (day ? 0.5 : 3);
      const high = house.t + (day ? 7.5 : 3.5);
      return { ...base, target_low: low, target_high: high, target_class: house.n === 5 ? 'G' : 'B', note: house.n === 5 ? '以毛竹资料代替' : null, limits: [limit('high', 'critical', 38), limit('high', 'high', house.t + 12, true, 'B'), limit('low', 'high', 8, true, 'B'), limit('low', 'critical', 2)] };
    }
    case 'relative_humidity': {
      const low = house.rh - 20;
      return { ...base, target_low: low, target_high: 100, target_class: 'B', limits: [limit('low', 'high', low - 8, true, 'B'), limit('low', 'medium', low - 3, false, 'G')] };
    }
    case 'vapour_pressure_deficit':
      return { ...base, target_low: 0.15, target_high: 1.1, target_class: 'D', limits: [limit('high', 'medium', 1.6, false, 'G')] };
    case 'substrate_temperature':
      return { ...base, target_low: house.t - 1, target_high: house.t + 5, target_class: 'C', limits: [] };
    default:
      return null;
  }
}

let nextId = 1;
const channels = [];
const nodes = [];
for (const house of houses) {
  const node = `bench-${house.n}`;
  nodes.push({ site: 'nanchuan', node, zone: house.zone, online: house.n !== 5, firmware: '0.1.0', birth_ms: START - 6 * DAY - house.n * HOUR, interval_ms: MINUTE, waiting: house.n === 5 ? 214 : 0 });
  const add = (position, quantity) => channels.push({ id: nextId++, house, node, position, quantity });
  add('canopy', 'air_temperature');
  add('roof', 'air_temperature');
  add('canopy', 'relative_humidity');
  add('canopy', 'vapour_pressure_deficit');
  add('bench', 'illuminance');
  if (house.n !== 4) add('canopy', 'co2');
  for (const position of ['bench-a', 'bench-b', 'bench-c']) add(position, 'substrate_temperature');
  if (house.n === 2) add('bench-a', 'substrate_moisture');
}
nodes.push({ site: 'nanchuan', node: 'spare-1', zone: null, online: null, firmware: null, birth_ms: null, interval_ms: null, waiting: null });

const gaps = (channel) => {
  const out = [{ from: START - 15.2 * HOUR, to: START - 14.1 * HOUR }];
  if (channel.house.n === 5 && !well()) out.push({ from: START - 22 * MINUTE, to: Infinity });
  if (channel.quantity === 'co2') out.push({ from: START - 5.4 * HOUR, to: START - 3.1 * HOUR });
  return out;
};
const missing = (channel, t) => gaps(channel).some(({ from, to }) => t >= from && t < to);
const shift = { canopy: 0, roof: 1.9, 'bench-a': 0, 'bench-b': 0.7, 'bench-c': -0.9, bench: 0 };
const valueAt = (channel, t) => {
  const value = models[channel.quantity](channel.house, t) + (channel.quantity.endsWith('temperature') ? shift[channel.position] : 0) + 0.1 * noise(channel.id, t);
  return Number(value.toFixed(UNITS[channel.quantity][1]));
};
const suspect = (channel, t) => channel.quantity === 'relative_humidity' && t > START - 9.2 * HOUR && t < START - 8.6 * HOUR;

function latestOf(channel) {
  let t = Math.floor(now() / MINUTE) * MINUTE + channel.house.n * 1_000;
  if (t > now()) t -= MINUTE;
  const dead = channel.quantity === 'co2' && channel.house.n === 3 && !well();
  while (missing(channel, t)) t -= MINUTE;
  return { time: new Date(t).toISOString(), time_ms: t, value: dead ? null : valueAt(channel, t), fault: dead ? 'not_present' : null, quality: dead ? 'missing' : 'good' };
}
function channelJson(channel) {
  const [unit, decimals] = UNITS[channel.quantity];
  const latest = latestOf(channel);
  const input = latest.fault ? 'fault' : now() - latest.time_ms > 4 * MINUTE ? 'stale' : 'good';
  return { id: channel.id, site: 'nanchuan', zone: channel.house.zone, node: channel.node, position: channel.position, quantity: channel.quantity, unit, decimals, latest, input, derived_from: derivedFrom(channel) };
}
function derivedFrom({ node, position, quantity }) {
  return quantity === 'vapour_pressure_deficit' ? ['air_temperature', 'relative_humidity'].map((input) => `${node}/${position}/${input}`) : [];
}

// Alarms: one active and unanswered, one returned and unanswered, one answered, and older ones.
const find = (n, quantity) => channels.find((c) => c.house.n === n && c.quantity === quantity);
function alarm(id, n, quantity, fields) {
  const house = houses.find((one) => one.n === n);
  const channel = find(n, quantity);
  return {
    id, kind: 'limit', state: 'unacknowledged', severity: 'high', site: 'nanchuan', zone: house.zone, zone_name: house.name,
    node: channel.node, channel: channel.id, position: channel.position, quantity, unit: UNITS[quantity][0], side: 'low', limit: 68,
    value: 66.8, peak: 53.1, current: null, started: '', started_ms: FAILED + 20 * MINUTE, raised_ms: FAILED + 30 * MINUTE, returned_ms: null,
    acknowledged_by: null, acknowledged_ms: null, comment: null, wakes: true, history: false, class: 'B', input: 'good', shelved: null, ...fields,
  };
}
const older = (k) => START - (k < 2 ? (5 + 9 * k) * HOUR : k * 1.7 * DAY);
const someAlarms = () => [
  alarm('a-1042', 2, 'relative_humidity', {}),
  alarm('a-1041', 5, 'air_temperature', { kind: 'stale', severity: 'medium', side: null, limit: null, value: null, peak: null, input: 'stale', started_ms: START - 22 * MINUTE, raised_ms: START - 19 * MINUTE }),
  alarm('a-1038', 1, 'air_temperature', { severity: 'medium', state: 'returned_unacknowledged', side: 'high', limit: 28, value: 28.2, peak: 29.1, started_ms: START - 26 * HOUR, raised_ms: START - 25.8 * HOUR, returned_ms: START - 24.6 * HOUR, wakes: false, class: 'G' }),
  alarm('a-1036', 3, 'co2', { kind: 'fault', severity: 'low', state: 'acknowledged', side: null, limit: null, value: null, peak: null, input: 'fault', started_ms: START - 7 * HOUR, raised_ms: START - 7 * HOUR, acknowledged_by: 'li.na', acknowledged_ms: START - 6.2 * HOUR, comment: '已订新探头' }),
  alarm('a-1035', 4, 'substrate_temperature', { severity: 'medium', side: 'high', limit: 21, value: 21.3, peak: 21.8, started_ms: START - 2.6 * HOUR, raised_ms: START - 2.5 * HOUR, shelved: { until_ms: START + 16 * HOUR, one_shot: true, by: 'wang.wei', reason: '传感器检修' } }),
  ...Array.from({ length: 9 }, (_, k) => alarm(`a-10${20 - k}`, 1 + ((k * 3) % 5), k % 2 ? 'air_temperature' : 'relative_humidity', {
    state: 'normal', severity: ['medium', 'high', 'medium', 'low', 'critical'][k % 5], side: k % 2 ? 'high' : 'low', limit: k % 2 ? 32 : 70, value: k % 2 ? 32.4 : 68, peak: k % 2 ? 33.8 : 61,
    started_ms: older(k), raised_ms: older(k) + 10 * MINUTE, returned_ms: older(k) + (40 + 17 * k) * MINUTE,
    acknowledged_by: k % 2 ? 'wang.wei' : 'li.na', acknowledged_ms: older(k) + 14 * MINUTE, comment: k % 3 ? null : '开了北侧天窗', history: k === 6,
  })),
];
const alarmJson = (one) => ({ ...one, started: new Date(one.started_ms).toISOString(), current: one.kind === 'limit' && one.returned_ms === null ? valueAt(channels.find((c) => c.id === one.channel), now()) : null });
const quietNight = ({ raised_ms }) => scenarioNow !== 'calm' || raised_ms < START - DAY;
const shownAlarms = () => (scenarioNow === 'alarm' ? here.alarms : here.alarms.filter((one) => one.state === 'normal' && quietNight(one)));

function timeline(one) {
  const events = [{ kind: 'raised', at_ms: one.raised_ms, seen_ms: one.raised_ms + 2_000, by: null, comment: null, value: one.value, severity: one.severity }];
  if (one.acknowledged_ms) events.push({ kind: 'acknowledged', at_ms: one.acknowledged_ms, seen_ms: one.acknowledged_ms, by: one.acknowledged_by, comment: one.comment, value: null, severity: null });
  if (one.returned_ms) events.push({ kind: 'returned', at_ms: one.returned_ms, seen_ms: one.returned_ms + 10 * MINUTE, by: null, comment: null, value: one.limit, severity: null });
  if (one.state === 'normal') events.push({ kind: 'closed', at_ms: Math.max(one.returned_ms, one.acknowledged_ms ?? 0), seen_ms: one.returned_ms, by: null, comment: null, value: null, severity: null });
  events.push(...(here.comments.get(one.id) ?? []));
  return events.sort((a, b) => a.at_ms - b.at_ms);
}

function summary(house) {
  const mine = channels.filter((c) => c.house === house);
  const counts = { critical: 0, high: 0, medium: 0, low: 0 };
  for (const one of shownAlarms()) if (one.zone === house.zone && one.state !== 'normal') counts[one.severity] += 1;
  const glance = ['air_temperature', 'relative_humidity', house.n % 2 ? 'illuminance' : 'vapour_pressure_deficit'].map((quantity) => {
    const channel = mine.find((c) => c.quantity === quantity);
    const end = Math.floor(now() / (30 * MINUTE)) * 30 * MINUTE;
    const sparkline = Array.from({ length: 48 }, (_, k) => {
      const t = end - (47 - k) * 30 * MINUTE;
      return missing(channel, t) ? null : valueAt(channel, t);
    });
    return { channel: channelJson(channel), band: band(house, quantity, now()), sparkline };
  });
  let worst = null;
  if (house.n === 2 && scenarioNow === 'alarm') {
    const rh = find(2, 'relative_humidity');
    worst = { channel: rh.id, quantity: 'relative_humidity', unit: '%', side: 'low', by: Math.max(0.1, 68 - valueAt(rh, now())), beyond: 'limit', since_ms: FAILED + 20 * MINUTE, alarm: 'a-1042', severity: 'high' };
  }
  if (house.n === 3 && !well()) {
    worst = { channel: find(3, 'air_temperature').id, quantity: 'air_temperature', unit: 'Cel', side: 'high', by: 0.8, beyond: 'band', since_ms: START - 52 * MINUTE, alarm: null, severity: null };
  }
  const newest = Math.max(...mine.map((c) => latestOf(c).time_ms));
  const silent = well() ? 0 : mine.map(channelJson).filter(({ input }) => input !== 'good').length;
  return { site: 'nanchuan', zone: house.zone, name: house.name, site_name: SITE, crop: house.crop, stage: house.stage, worst, alarms: counts, channels: glance, silent_channels: silent, newest_ms: newest };
}

function overview() {
  if (scenarioNow === 'empty') return nurseryRoutes.emptyOverview(here, nightRoutes.overviewNight(here, scenarioNow, []));
  const rank = (zone) => -(zone.alarms.critical * 1000 + zone.alarms.high * 100 + zone.alarms.medium * 10 + (zone.worst ? 5 : 0) + zone.alarms.low);
  const zones = houses.map(summary).sort((a, b) => rank(a) - rank(b));
  return { now_ms: now(), zones, unacknowledged: shownAlarms().filter(({ state }) => state.endsWith('unacknowledged')).length, sites: nightRoutes.sites(), night: nightRoutes.overviewNight(here, scenarioNow, shownAlarms()) };
}

function zoneDetail(house, from, to) {
  const mine = channels.filter((c) => c.house === house);
  const bands = [...new Set(mine.map((c) => c.quantity))].map((quantity) => {
    const steps = [{ from_ms: from, band: band(house, quantity, from) }];
    for (let t = from; t < to; t += 10 * MINUTE) {
      const next = band(house, quantity, t);
      if (JSON.stringify(next) !== JSON.stringify(steps.at(-1).band)) steps.push({ from_ms: t, band: next });
    }
    return { quantity, steps };
  });
  const nights = [];
  let begun = null;
  for (let t = from; t <= to; t += 5 * MINUTE) {
    if (sun(t) <= 0 && begun === null) begun = t;
    if (sun(t) > 0 && begun !== null) { nights.push({ from_ms: begun, to_ms: t }); begun = null; }
  }
  if (begun !== null) nights.push({ from_ms: begun, to_ms: to });
  return {
    summary: summary(house), channels: mine.map(channelJson), bands, nights,
    stages: [{ span: { from_ms: from, to_ms: to }, stage: house.stage }], day_source: 'sun',
    alarms: shownAlarms().filter((one) => one.zone === house.zone && one.started_ms < to && (one.returned_ms ?? Infinity) > from).map(alarmJson),
    nodes: nodesJson().filter((one) => one.zone === house.zone),
    batches: nightRoutes.batchesIn(house),
  };
}

function nodesJson() {
  return nodes.map((node) => {
    const mine = channels.filter((c) => c.node === node.node);
    return { ...node, newest_ms: mine.length > 0 ? Math.max(...mine.map((c) => latestOf(c).time_ms)) : null };
  });
}

const STEPS = [10_000, 30_000, MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, DAY];
function series(channel, from, to, points) {
  const step = STEPS.find((one) => (to - from) / one <= points) ?? DAY;
  const out = { channel: channel.id, unit: UNITS[channel.quantity][0], step_ms: step, time_ms: [], min: [], mean: [], max: [], count: [], quality: [] };
  for (let t = Math.floor(from / step) * step; t < Math.min(to, now()); t += step) {
    const values = [];
    let quality = 1;
    const every = Math.max(MINUTE, Math.floor(step / 6 / MINUTE) * MINUTE);
    for (let s = Math.ceil(t / MINUTE) * MINUTE; s < Math.min(t + step, now()); s += every) {
      if (missing(channel, s) || s < START - 31 * DAY) continue;
      values.push(valueAt(channel, s));
      if (suspect(channel, s)) quality = 3;
    }
    out.time_ms.push(t);
    out.count.push(values.length * Math.max(1, every / MINUTE));
    out.min.push(values.length ? Math.min(...values) : null);
    out.max.push(values.length ? Math.max(...values) : null);
    out.mean.push(values.length ? values.reduce((a, b) => a + b, 0) / values.length : null);
    out.quality.push(values.length ? quality : null);
  }
  return out;
}

const ADVICE = {
  check: name('到 2 号房看喷雾：喷头有没有出雾，水压表是否高于 0.2 MPa，电磁阀手动能否打开。', 'Go to house 2 and look at the mist: do the nozzles spray, is the water pressure above 0.2 MPa, does the valve open by hand?'),
  action: name('先手动喷雾 30 秒并拉遮阳网，再换电磁阀或疏通过滤器。湿度回到 76 % 以上 10 分钟后报警自行结束。', 'Mist by hand for 30 s and draw the shade screen, then replace the valve or clear the filter. The alarm ends by itself once humidity has been above 76 % for 10 min.'),
};
const gauge = gauges({ START, now, UNITS });
const nightRoutes = night({ START, ZONE_MS, now, noise, sun, houses, channels, UNITS, models, bandOf, alarmJson, SITE });
const nurseryRoutes = nursery({ START, now, houses, SITE, night: nightRoutes });
const RIGHTS = {
  viewer: ['read'],
  technician: ['read', 'answer_alarms', 'manage_nodes'],
  grower: ['read', 'answer_alarms', 'run_nursery', 'export', 'curate_germplasm', 'manage_nodes'],
  researcher: ['read', 'export', 'curate_germplasm'],
  admin: ['read', 'answer_alarms', 'run_nursery', 'export', 'curate_germplasm', 'manage_nodes', 'manage_people'],
};

const worlds = new Map();
function worldOf(jar) {
  const key = jar.world ?? '';
  if (!worlds.has(key)) worlds.set(key, { alarms: someAlarms(), comments: new Map(), streams: new Set(), refuseUntil: 0, scenario: 'alarm' });
  return worlds.get(key);
}
function enter(world) {
  here = world;
  scenarioNow = world.scenario;
}
const send = (event) => { for (const stream of here.streams) stream.write(`data: ${JSON.stringify(event)}\n\n`); };
const toAll = (event) => {
  for (const world of worlds.values()) {
    if (world.streams.size === 0) continue;
    enter(world);
    send(event());
  }
};
setInterval(() => toAll(() => ({ type: 'clock', now_ms: now() })), 5_000).unref();
setInterval(() => toAll(() => ({ type: 'samples', channels: scenarioNow === 'empty' ? (here.made?.channels ?? []) : channels.map(channelJson) })), 1_000).unref();

const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

function cookies(request) {
  return Object.fromEntries((request.headers.cookie ?? '').split(/;\s*/u).filter(Boolean).map((pair) => pair.split('=')));
}
async function textOf(request) {
  let text = '';
  for await (const part of request.setEncoding('utf8')) text += part;
  return text;
}
async function body(request) {
  const text = await textOf(request);
  return text ? JSON.parse(text) : {};
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const jar = cookies(request);
  const world = worldOf(jar);
  world.scenario = jar.scenario ?? 'alarm';
  enter(world);
  const json = (status, value, headers = {}) => { response.writeHead(status, { 'content-type': 'application/json', ...headers }); response.end(value === undefined ? '' : JSON.stringify(value)); };
  const problem = (status, code, zh, en) => json(status, { code, message: { zh, en }, field: null });
  const path = url.pathname;
  if (path === '/fixture/refuse') { world.refuseUntil = Date.now() + Number(url.searchParams.get('ms') ?? 3_000); for (const stream of world.streams) stream.destroy(); return json(200, {}); }
  if (path === '/fixture/raise') {
    const raised = alarm(`a-${2000 + world.alarms.length}`, 4, 'air_temperature', { severity: 'critical', side: 'high', limit: 35, value: 38, peak: 38, started_ms: now() - 3_000, raised_ms: now() });
    world.alarms.unshift(raised);
    send({ type: 'alarm', alarm: alarmJson(raised) });
    return json(200, { id: raised.id });
  }
  if (Date.now() < world.refuseUntil && path.startsWith('/api/')) return request.socket.destroy();
  if (path === '/ca.crt') { response.writeHead(200, { 'content-type': 'application/x-x509-ca-cert' }); return response.end('-----BEGIN CERTIFICATE-----\n'); }
  if (!path.startsWith('/api/v1/')) return file(path, response);
  const route = path.slice('/api/v1'.length);

  if (route === '/health') return json(200, { status: 'ok', version: '0.1.0', now_ms: now(), speed: SPEED, demonstration: true, troubles: [] });
  if (route === '/session' && request.method === 'POST') {
    const { user, password } = await body(request);
    if (!RIGHTS[user] || password !== 'seedling') return problem(401, 'wrong_credentials', '用户名或密码不对。', 'User or password is wrong.');
    return json(200, {}, { 'set-cookie': `session=${user}; Path=/; HttpOnly; SameSite=Strict` });
  }
  const asked = { route, method: request.method, url, world, alarms: shownAlarms, json, problem, send: (event) => { enter(world); send(event); }, advice: ADVICE, user: jar.session, rights: RIGHTS[jar.session] ?? [], response, text: () => textOf(request), body: async () => { const read = await body(request); enter(world); return read; } };
  if (nurseryRoutes.open(asked)) return undefined;
  if (await nightRoutes.open(asked)) return undefined;
  if (!RIGHTS[jar.session]) return problem(401, 'signed_out', '请先登录。', 'Sign in first.');
  if (route === '/session' && request.method === 'DELETE') return json(204, undefined, { 'set-cookie': 'session=; Path=/; Max-Age=0' });
  if (route === '/session') return json(200, { user: jar.session, role: jar.session, must_change_password: jar.first === '1', rights: RIGHTS[jar.session], contact: { email: `${jar.session}@example.org`, language: 'zh', wakes: true } });
  if (route === '/session/password') { const { old } = await body(request); return old === 'seedling' ? json(204, undefined, { 'set-cookie': 'first=0; Path=/' }) : problem(403, 'wrong_password', '现在的密码不对。', 'The current password is wrong.'); }
  if (await nurseryRoutes.signedIn(asked)) return undefined;
  if (await nightRoutes.signedIn(asked)) return undefined;
  if (route === '/overview') return json(200, overview());
  if (route === '/nodes') return json(200, scenarioNow === 'empty' ? nurseryRoutes.emptyNodes(world) : nodesJson());
  if (route === '/channels') return json(200, channels.map(channelJson));
  if (route === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(`data: ${JSON.stringify({ type: 'clock', now_ms: now() })}\n\n`);
    world.streams.add(response);
    return request.on('close', () => world.streams.delete(response));
  }
  if (route === '/alarms') {
    const state = url.searchParams.get('state') ?? 'all';
    const open = (one) => one.state !== 'normal';
    const keep = { open, unacknowledged: (one) => one.state.endsWith('unacknowledged'), closed: (one) => !open(one), all: () => true }[state];
    return json(200, { now_ms: now(), alarms: shownAlarms().filter(keep).map(alarmJson), more: false });
  }
  const [, kind, id, action] = route.split('/');
  if (kind === 'alarms') {
    const one = shownAlarms().find((entry) => entry.id === id);
    if (!one) return problem(404, 'not_found', '没有这条报警。', 'There is no such alarm.');
    if (request.method === 'POST') {
      if (!RIGHTS[jar.session].includes('answer_alarms')) return problem(403, 'forbidden', '当前角色不能确认报警。', 'Your role may not acknowledge.');
      const { comment } = await body(request);
      enter(world);
      if (action === 'acknowledge') Object.assign(one, { state: one.returned_ms ? 'normal' : 'acknowledged', acknowledged_by: jar.session, acknowledged_ms: now(), comment: comment || null });
      else here.comments.set(id, [...(here.comments.get(id) ?? []), { kind: 'commented', at_ms: now(), seen_ms: now(), by: jar.session, comment, value: null, severity: null }]);
      send({ type: 'alarm', alarm: alarmJson(one) });
      return json(200, alarmJson(one));
    }
    return json(200, { alarm: alarmJson(one), ...ADVICE, timeline: timeline(one), ...nightRoutes.detail(here, one) });
  }
  const span = () => [Date.parse(url.searchParams.get('from')), Date.parse(url.searchParams.get('to'))];
  if (kind === 'zones') {
    const house = houses.find((entry) => id === 'nanchuan' && entry.zone === action);
    return house ? json(200, zoneDetail(house, ...span())) : problem(404, 'not_found', '没有这座苗房。', 'There is no such house.');
  }
  if (kind === 'channels' && action === 'series') {
    const channel = channels.find((entry) => entry.id === Number(id));
    return channel ? json(200, series(channel, ...span(), Number(url.searchParams.get('points') ?? 500))) : problem(404, 'not_found', '没有这个通道。', 'There is no such channel.');
  }
  if (kind === 'channels' && action === 'calibrations') {
    const channel = channels.find((entry) => entry.id === Number(id));
    if (!channel) return problem(404, 'not_found', '没有这个通道。', 'There is no such channel.');
    if (request.method !== 'POST') return json(200, gauge.known(world, channel));
    const said = await body(request);
    enter(world);
    return said.points.length > 0 ? json(201, gauge.add(world, channel, said)) : problem(422, 'invalid_value', '请给出一个校准点。', 'Give a point.');
  }
  if (kind === 'calibrations' && action === 'withdrawal') {
    const { why } = await body(request);
    enter(world);
    return json(200, gauge.withdraw(world, channels, Number(id), why));
  }
  return problem(404, 'not_found', '没有这个地址。', 'There is no such address.');
});

function file(path, response) {
  const wanted = normalize(join(DIST, path));
  const found = wanted.startsWith(DIST) && existsSync(wanted) && statSync(wanted).isFile() ? wanted : join(DIST, 'index.html');
  response.writeHead(200, { 'content-type': TYPES[extname(found)] ?? 'application/octet-stream', 'content-security-policy': CSP });
  createReadStream(found).pipe(response);
}

const port = Number(process.env.FIXTURE_PORT ?? 4173);
server.listen(port, '127.0.0.1', () => console.log(`fixture on http://127.0.0.1:${server.address().port}`));
