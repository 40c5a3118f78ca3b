// Scales: how much of a quantity a chart shows, where its ticks stand, and how labels keep apart.
// Not here: pixels of any particular chart.
import type { BandPiece, LimitPiece } from './bands';
import type { Line } from './columns';
import type { Range } from './spans';

export type Extent = { low: number; high: number };

/** A limit that is this share of the extent away from the data is shown; one farther away would flatten the line. */
const LIMIT_REACH = 0.6;
/** Room above and below, as a share of the extent. */
const ROOM = 0.08;
/** The least extent as a share of the magnitude, so that noise does not fill the chart. */
const LEAST_SHARE = 0.02;

/** What a quantity can be at all. */
export type Bounds = { low: number | null; high: number | null };

const BOUNDS: Record<string, Bounds> = {
  relative_humidity: { low: 0, high: 100 },
  substrate_moisture: { low: 0, high: 100 },
  illuminance: { low: 0, high: null },
  ppfd: { low: 0, high: null },
  daily_light_integral: { low: 0, high: null },
  vapour_pressure_deficit: { low: 0, high: null },
  absolute_humidity: { low: 0, high: null },
  co2: { low: 0, high: null },
  substrate_ec: { low: 0, high: null },
};

/** Quantities whose zero is part of the picture. */
const FROM_ZERO = new Set(['illuminance', 'ppfd', 'daily_light_integral']);

/** Returns the values a chart shows: its data, the band, and those limits that are near. */
export function valueExtent(
  quantity: string,
  lines: readonly Line[],
  bands: readonly BandPiece[],
  limits: readonly LimitPiece[],
  range: Range,
): Extent {
  let low = Infinity;
  let high = -Infinity;
  const take = (value: number | null | undefined): void => {
    if (value === null || value === undefined) return;
    low = Math.min(low, value);
    high = Math.max(high, value);
  };
  for (const one of lines) {
    for (const [index, time] of one.time_ms.entries()) {
      if (time < range.from_ms || time > range.to_ms) continue;
      take(one.min[index]);
      take(one.max[index]);
    }
  }
  const hasData = low <= high;
  for (const piece of bands) {
    take(piece.low);
    take(piece.high);
  }
  if (FROM_ZERO.has(quantity)) take(0);
  if (low > high) {
    for (const piece of limits) take(piece.limit);
  } else if (hasData) {
    const reach = (high - low) * LIMIT_REACH;
    const near = limits.filter(({ limit }) => limit >= low - reach && limit <= high + reach);
    for (const piece of near) take(piece.limit);
  }
  if (low > high) return { low: 0, high: 1 };
  return padded(quantity, low, high);
}

function padded(quantity: string, low: number, high: number): Extent {
  const least = Math.max(Math.abs(low), Math.abs(high)) * LEAST_SHARE || 1;
  const room = Math.max(high - low, least) * ROOM + Math.max(0, least - (high - low)) / 2;
  const bounds = BOUNDS[quantity];
  return {
    low: Math.max(low - room, bounds?.low ?? -Infinity),
    high: Math.min(high + room, bounds?.high === 100 ? 100.5 : Infinity),
  };
}

/** Returns where a time stands in a span, as a share of its length. */
export function across(range: Range, time_ms: number): number {
  return (time_ms - range.from_ms) / (range.to_ms - range.from_ms);
}

/** Returns how far below the top of an extent a value stands, as a share of its height. */
export function down(extent: Extent, value: number): number {
  return 1 - (value - extent.low) / (extent.high - extent.low);
}

/** Returns round values inside the extent, about `count` of them. */
export function valueTicks(extent: Extent, count: number): { ticks: number[]; decimals: number } {
  const span = extent.high - extent.low;
  if (!(span > 0) || count < 1) return { ticks: [], decimals: 0 };
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((m) => m * power >= rough) ?? 10);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (isQuarter(step) ? 1 : 0));
  const ticks: number[] = [];
  for (let n = Math.ceil(extent.low / step - 1e-9); n * step <= extent.high + step * 1e-9; n += 1) {
    ticks.push(Number((n * step).toFixed(decimals)));
  }
  return { ticks, decimals };
}

function isQuarter(step: number): boolean {
  const lead = step / 10 ** Math.floor(Math.log10(step) + 1e-9);
  return Math.abs(lead - 2.5) < 1e-6;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const TIME_STEPS_MS = [
  MINUTE_MS,
  2 * MINUTE_MS,
  5 * MINUTE_MS,
  10 * MINUTE_MS,
  15 * MINUTE_MS,
  30 * MINUTE_MS,
  HOUR_MS,
  2 * HOUR_MS,
  3 * HOUR_MS,
  6 * HOUR_MS,
  12 * HOUR_MS,
  DAY_MS,
  2 * DAY_MS,
  4 * DAY_MS,
  7 * DAY_MS,
  14 * DAY_MS,
  28 * DAY_MS,
  56 * DAY_MS,
];

export type TimeTick = { time_ms: number; midnight: boolean };

/** Returns at most `count_max` ticks on round local times; `offset` is the zone's distance from UTC at a time. */
export function timeTicks(range: Range, count_max: number, offset: (time_ms: number) => number): TimeTick[] {
  const length = range.to_ms - range.from_ms;
  if (!(length > 0) || count_max < 1) return [];
  const step = TIME_STEPS_MS.find((one) => length / one <= count_max) ?? Math.ceil(length / count_max / DAY_MS) * DAY_MS;
  const ticks: TimeTick[] = [];
  const local = range.from_ms + offset(range.from_ms);
  for (let at = Math.ceil(local / step) * step; ticks.length <= count_max; at += step) {
    const time_ms = at - offset(at - offset(range.from_ms));
    if (time_ms > range.to_ms) break;
    if (time_ms >= range.from_ms) ticks.push({ time_ms, midnight: at % DAY_MS === 0 });
  }
  return ticks;
}

/** Returns heights for labels that want to stand at `wanted`, at least `apart` from one another, inside 0..`height`. */
export function spread(wanted: readonly number[], apart: number, height: number): number[] {
  const order = wanted.map((at, index) => ({ at, index })).sort((a, b) => a.at - b.at);
  let floor = -Infinity;
  for (const one of order) {
    one.at = Math.max(one.at, floor, apart / 2);
    floor = one.at + apart;
  }
  let ceiling = height - apart / 2;
  for (const one of order.toReversed()) {
    one.at = Math.min(one.at, ceiling);
    ceiling = one.at - apart;
  }
  const out = new Array<number>(wanted.length).fill(0);
  for (const one of order) out[one.index] = one.at;
  return out;
}
