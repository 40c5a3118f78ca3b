// What a calibration comes to: its offset, the points that were typed, what it has touched. Not here: words.
import type { Calibration, CalibrationPoint } from '../api/types';

export type Typed = { raw1: string; reference1: string; raw2: string; reference2: string };
export type Work = { done: boolean; readings: number; flags: number; derived: number };

/** Returns what is added to every reading; null where the line is no offset. */
export function offsetOf(one: Calibration): number | null {
  const [low] = one.points;
  if (low === undefined || one.points.length !== 1) return null;
  return Number((low.reference - low.raw).toPrecision(12));
}

/** Returns the points that were typed; null where the first is not whole, or a value is no number. */
export function pointsOf(typed: Typed): CalibrationPoint[] | null {
  const value = (text: string): number => (text.trim() === '' ? NaN : Number(text.trim().replaceAll('，', ',').replaceAll('−', '-').replace(',', '.')));
  const first = { raw: value(typed.raw1), reference: value(typed.reference1) };
  const second = { raw: value(typed.raw2), reference: value(typed.reference2) };
  const whole = (point: CalibrationPoint): boolean => Number.isFinite(point.raw) && Number.isFinite(point.reference);
  if (!whole(first)) return null;
  if (typed.raw2.trim() === '' && typed.reference2.trim() === '') return [first];
  return whole(second) ? [first, second] : null;
}

/** Returns what was computed again because of a calibration; null where nothing had to be. */
export function work(one: Calibration): Work | null {
  if (one.work.length === 0) return null;
  const sum = (of: (part: Calibration['work'][number]) => number): number => one.work.reduce((total, part) => total + of(part), 0);
  return {
    done: one.work.every(({ done_ms }) => done_ms !== null),
    readings: sum(({ readings }) => readings),
    flags: sum(({ flags }) => flags),
    derived: sum(({ derived }) => derived),
  };
}
