// From the gateway's columns to what a chart draws: gaps where data is missing, and no gaps where a
// bucket is only narrower than the sampling interval. Not here: drawing.
import type { Latest, Series } from '../api/types';

/** A line of a chart; a point with a null mean is a gap. */
export type Line = {
  time_ms: number[];
  min: (number | null)[];
  mean: (number | null)[];
  max: (number | null)[];
  quality: (number | null)[];
};

/** Silence longer than this many steps or intervals is a gap. */
const GAP_STEPS = 2.5;

/** QARTOD numbers from here on are drawn hollow. */
export const SUSPECT_FROM = 3;

/** Returns the longest silence between two neighbours that is not yet a gap. */
export function gapTolerance(step_ms: number, interval_ms: number | null): number {
  return GAP_STEPS * Math.max(step_ms, interval_ms ?? 0);
}

/** Returns the middle of a bucket that stands for many samples, and the start of one that does not. */
function drawnAt(start_ms: number, step_ms: number, count: number): number {
  return count > 1 ? start_ms + step_ms / 2 : start_ms;
}

/** Turns columns into a line: empty buckets go, and a silence beyond the tolerance becomes one null point. */
export function line(series: Series, interval_ms: number | null): Line {
  const out: Line = { time_ms: [], min: [], mean: [], max: [], quality: [] };
  const tolerance = gapTolerance(series.step_ms, interval_ms);
  let last: number | null = null;
  for (const [index, start] of series.time_ms.entries()) {
    const mean = series.mean[index] ?? null;
    if (mean === null) continue;
    const time = drawnAt(start, series.step_ms, series.count[index] ?? 1);
    if (last !== null && time - last > tolerance) push(out, last + (time - last) / 2, null, null, null, null);
    push(
      out,
      time,
      series.min[index] ?? mean,
      mean,
      series.max[index] ?? mean,
      series.quality[index] ?? null,
    );
    last = time;
  }
  return out;
}

/** What adds up: a bucket of such a quantity is the sum of its samples, not their mean. */
const ADDED = new Set(['rainfall']);

/** Returns columns as they are drawn: of what adds up each bucket is its sum. */
export function drawn(quantity: string, series: Series): Series {
  if (!ADDED.has(quantity)) return series;
  const sums = series.mean.map((mean, index) => (mean === null ? null : mean * Math.max(1, series.count[index] ?? 1)));
  return { ...series, min: sums, mean: sums, max: sums };
}

function push(
  out: Line,
  time: number,
  min: number | null,
  mean: number | null,
  max: number | null,
  quality: number | null,
): void {
  out.time_ms.push(time);
  out.min.push(min);
  out.mean.push(mean);
  out.max.push(max);
  out.quality.push(quality);
}

const QUALITY_NUMBER: Record<string, number> = {
  good: 1,
  not_evaluated: 2,
  suspect: 3,
  fail: 4,
  missing: 9,
};

/** Returns the QARTOD number of a flag's name; an unknown name counts as not evaluated. */
export function qualityNumber(name: string): number {
  return QUALITY_NUMBER[name] ?? 2;
}

/** Returns the columns with one more sample at their end; an older or faulted sample changes nothing. */
export function appended(series: Series, latest: Latest): Series {
  const value = latest.value;
  if (value === null) return series;
  const step = Math.max(1, series.step_ms);
  const origin = series.time_ms[0] ?? Math.floor(latest.time_ms / step) * step;
  const bucket = origin + Math.floor((latest.time_ms - origin) / step) * step;
  const end = series.time_ms.length - 1;
  const last = series.time_ms[end];
  if (last !== undefined && bucket < last) return series;
  const quality = qualityNumber(latest.quality);
  if (last !== bucket) {
    return {
      ...series,
      time_ms: [...series.time_ms, bucket],
      min: [...series.min, value],
      mean: [...series.mean, value],
      max: [...series.max, value],
      count: [...series.count, 1],
      quality: [...series.quality, quality],
    };
  }
  const count = series.count[end] ?? 0;
  const mean = series.mean[end] ?? value;
  return {
    ...series,
    min: [...series.min.slice(0, end), Math.min(series.min[end] ?? value, value)],
    mean: [...series.mean.slice(0, end), (mean * count + value) / (count + 1)],
    max: [...series.max.slice(0, end), Math.max(series.max[end] ?? value, value)],
    count: [...series.count.slice(0, end), count + 1],
    quality: [...series.quality.slice(0, end), Math.max(series.quality[end] ?? 0, quality)],
  };
}

/** Columns as uPlot wants them: one x for all lines; null is a gap, undefined is "nothing here, draw on". */
export type Aligned = {
  time_ms: number[];
  /** Per line: mean, min, max on the shared x. */
  columns: { mean: Cell[]; min: Cell[]; max: Cell[]; quality: Cell[] }[];
};
export type Cell = number | null | undefined;

/** Puts lines with their own times on one shared x. */
export function aligned(lines: readonly Line[]): Aligned {
  const times = new Set<number>();
  for (const one of lines) for (const time of one.time_ms) times.add(time);
  const time_ms = [...times].sort((a, b) => a - b);
  const place = new Map(time_ms.map((time, index) => [time, index]));
  const columns = lines.map((one) => {
    const empty = (): Cell[] => new Array<Cell>(time_ms.length).fill(undefined);
    const out = { mean: empty(), min: empty(), max: empty(), quality: empty() };
    for (const [from, time] of one.time_ms.entries()) {
      const to = place.get(time);
      if (to === undefined) continue;
      out.mean[to] = one.mean[from] ?? null;
      out.min[to] = one.min[from] ?? null;
      out.max[to] = one.max[from] ?? null;
      out.quality[to] = one.quality[from] ?? null;
    }
    for (const column of [out.mean, out.min, out.max]) widenGaps(column);
    return out;
  });
  return { time_ms, columns };
}

/** Lets a gap reach as far as its line has nothing, so that points of other lines don't narrow it. */
function widenGaps(column: Cell[]): void {
  const spread = (order: readonly number[]): void => {
    let gap = false;
    for (const index of order) {
      if (column[index] === null) gap = true;
      else if (column[index] !== undefined) gap = false;
      else if (gap) column[index] = null;
    }
  };
  const order = [...column.keys()];
  spread(order);
  spread(order.reverse());
}

/** What can be said of a line in one sentence. */
export type Summary = {
  min: number;
  mean: number;
  max: number;
  gaps: number;
  gap_ms: number;
};

/** Sums up columns over their span, or returns null where there is no value at all. */
export function summary(series: Series, interval_ms: number | null): Summary | null {
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  let count = 0;
  let gaps = 0;
  let gap_ms = 0;
  let last: number | null = null;
  const tolerance = gapTolerance(series.step_ms, interval_ms);
  for (const [index, time] of series.time_ms.entries()) {
    const mean = series.mean[index] ?? null;
    if (mean === null) continue;
    const weight = Math.max(1, series.count[index] ?? 1);
    min = Math.min(min, series.min[index] ?? mean);
    max = Math.max(max, series.max[index] ?? mean);
    sum += mean * weight;
    count += weight;
    if (last !== null && time - last > tolerance) {
      gaps += 1;
      gap_ms += time - last - series.step_ms;
    }
    last = time;
  }
  return count > 0 ? { min, mean: sum / count, max, gaps, gap_ms } : null;
}

/** Returns the index of the point nearest to `time_ms` that has a value and is within `reach_ms`, or null. */
export function nearest(one: Line, time_ms: number, reach_ms: number): number | null {
  const after = lowerBound(one.time_ms, time_ms);
  let best: number | null = null;
  let distance = reach_ms;
  for (const index of [after - 2, after - 1, after, after + 1]) {
    const time = one.time_ms[index];
    if (time === undefined || (one.mean[index] ?? null) === null) continue;
    const away = Math.abs(time - time_ms);
    if (away <= distance) {
      best = index;
      distance = away;
    }
  }
  return best;
}

/** Returns the first index whose time is not before `time_ms`. */
export function lowerBound(times: readonly number[], time_ms: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? Infinity) < time_ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One row of a chart's table. */
export type Row = { time_ms: number; cells: ({ min: number; mean: number; max: number } | null)[] };

/** Sums lines up into at most `rows_max` rows of equal width, for people who read rather than look. */
export function tabulated(lines: readonly Line[], from_ms: number, to_ms: number, rows_max: number): Row[] {
  const width = (to_ms - from_ms) / rows_max;
  if (!(width > 0)) return [];
  const rows: Row[] = [];
  for (let row = 0; row < rows_max; row += 1) {
    const start = from_ms + row * width;
    const cells = lines.map((one) => {
      const first = lowerBound(one.time_ms, start);
      const end = lowerBound(one.time_ms, start + width);
      let min = Infinity;
      let max = -Infinity;
      let sum = 0;
      let count = 0;
      for (let index = first; index < end; index += 1) {
        const mean = one.mean[index] ?? null;
        if (mean === null) continue;
        min = Math.min(min, one.min[index] ?? mean);
        max = Math.max(max, one.max[index] ?? mean);
        sum += mean;
        count += 1;
      }
      return count > 0 ? { min, mean: sum / count, max } : null;
    });
    rows.push({ time_ms: start, cells });
  }
  return rows;
}
