// Batches on one axis that begins with each of them. Not here: drawing, words, asking the gateway.
import type { BatchSeries, Name } from '../api/types';
import type { BandPiece } from './bands';
import { gapTolerance, summary, type Line, type Summary } from './columns';
import type { Range } from './spans';

export const DAY_MS = 86_400_000;
/** The narrowest part of the axis that is shown. */
export const AGED_MIN_MS = DAY_MS / 4;

/** Returns a batch's columns as a line whose times count from the batch's start. */
export function agedLine(series: BatchSeries): Line {
  const out: Line = { time_ms: [], min: [], mean: [], max: [], quality: [] };
  const push = (time: number, min: number | null, mean: number | null, max: number | null): void => {
    out.time_ms.push(time);
    out.min.push(min);
    out.mean.push(mean);
    out.max.push(max);
    out.quality.push(null);
  };
  const tolerance = gapTolerance(series.step_ms, null);
  let last: number | null = null;
  for (const [index, start] of series.offset_ms.entries()) {
    const mean = series.mean[index] ?? null;
    if (mean === null) continue;
    const time = start + series.step_ms / 2;
    if (last !== null && time - last > tolerance) push(last + (time - last) / 2, null, null, null);
    push(time, series.min[index] ?? mean, mean, series.max[index] ?? mean);
    last = time;
  }
  return out;
}

/** Sums a batch's columns up; null where there is no value. */
export function agedSummary(series: BatchSeries): Summary | null {
  const { offset_ms, step_ms, min, mean, max, unit } = series;
  const ones = offset_ms.map(() => 1);
  return summary({ channel: 0, unit, step_ms, time_ms: offset_ms, min, mean, max, count: ones, quality: ones }, null);
}

/** Returns the whole axis: from day 0 to the end of the batch that lasted longest. */
export function agedRange(list: readonly BatchSeries[]): Range {
  let to_ms = AGED_MIN_MS;
  for (const { offset_ms, step_ms, stages } of list) {
    to_ms = Math.max(to_ms, (offset_ms.at(-1) ?? 0) + step_ms, stages.at(-1)?.span.to_ms ?? 0);
  }
  return { from_ms: 0, to_ms };
}

/** Returns the part of the axis that is wanted, not narrower than can be read and not beyond the whole. */
export function agedWithin(wanted: Range, whole: Range): Range {
  const length = Math.min(whole.to_ms - whole.from_ms, Math.max(AGED_MIN_MS, wanted.to_ms - wanted.from_ms));
  const from_ms = Math.max(whole.from_ms, Math.min(wanted.from_ms, whole.to_ms - length));
  return { from_ms, to_ms: from_ms + length };
}

/** Returns what the stages of a batch want, on its own axis. */
export function agedBands(series: BatchSeries): BandPiece[] {
  const pieces: BandPiece[] = [];
  for (const { span, band } of series.stages) {
    const low = band?.target_low ?? null;
    const high = band?.target_high ?? null;
    if (low === null && high === null) continue;
    const last = pieces.at(-1);
    if (last && last.to_ms === span.from_ms && last.low === low && last.high === high) last.to_ms = span.to_ms;
    else pieces.push({ from_ms: span.from_ms, to_ms: span.to_ms, low, high });
  }
  return pieces;
}

/** A stage on the part of the axis that is shown; place and length are shares of it. */
export type StagePart = { name: Name; from_ms: number; to_ms: number; start: number; length: number };

/** Returns the stages that touch `shown`. */
export function stageParts(series: BatchSeries, shown: Range): StagePart[] {
  const width = shown.to_ms - shown.from_ms;
  return series.stages.flatMap(({ span, name }) => {
    const from_ms = Math.max(span.from_ms, shown.from_ms);
    const to_ms = Math.min(span.to_ms, shown.to_ms);
    if (from_ms >= to_ms) return [];
    return [{ name, ...span, start: (from_ms - shown.from_ms) / width, length: (to_ms - from_ms) / width }];
  });
}

/** Returns the day since the start, counted from 0. */
export function dayOf(offset_ms: number): number {
  return Math.floor(offset_ms / DAY_MS);
}
