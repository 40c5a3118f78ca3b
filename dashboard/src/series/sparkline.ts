// The small line on a tile: the last day against its band, as one path. Not here: colours, sizes.
import type { Band } from '../api/types';

export type Spark = {
  /** SVG path of the line, broken at gaps. */
  path: string;
  /** Single points that have gaps on both sides. */
  dots: { x: number; y: number }[];
  /** The target band, clipped to the picture. */
  band: { y: number; height: number } | null;
  /** The newest point. */
  last: { x: number; y: number } | null;
};

/** How far the picture follows a band that is far from the data, as a share of the data's extent. */
const BAND_REACH = 0.5;

/** Draws `values`, oldest first, into a box; a band that is far away is cut off rather than flattening the line. */
export function spark(values: readonly (number | null)[], band: Band | null, width: number, height: number): Spark {
  const real = values.filter((value) => value !== null);
  if (real.length === 0) return { path: '', dots: [], band: null, last: null };
  const { low, high } = extent(real, band);
  const inset = 3;
  const x = (index: number): number =>
    round(values.length > 1 ? inset + (index / (values.length - 1)) * (width - 2 * inset) : width / 2);
  const y = (value: number): number => round(inset + (1 - (value - low) / (high - low)) * (height - 2 * inset));
  const out: Spark = { path: '', dots: [], band: bandBox(band, y, height), last: null };
  for (const [index, value] of values.entries()) {
    if (value === null) continue;
    const point = { x: x(index), y: y(value) };
    const joined = index > 0 && (values[index - 1] ?? null) !== null;
    const joins = (values[index + 1] ?? null) !== null;
    if (!joined && !joins) out.dots.push(point);
    else out.path += `${joined ? 'L' : 'M'}${point.x} ${point.y}`;
    out.last = point;
  }
  return out;
}

function extent(real: readonly number[], band: Band | null): { low: number; high: number } {
  const min = Math.min(...real);
  const max = Math.max(...real);
  const least = Math.max(Math.abs(min), Math.abs(max)) * 0.04 || 1;
  const reach = Math.max(max - min, least) * BAND_REACH;
  let low = min;
  let high = max;
  for (const edge of [band?.target_low ?? null, band?.target_high ?? null]) {
    if (edge === null) continue;
    low = Math.min(low, Math.max(edge, min - reach));
    high = Math.max(high, Math.min(edge, max + reach));
  }
  const missing = Math.max(0, least - (high - low)) / 2;
  return { low: low - missing, high: high + missing };
}

function bandBox(
  band: Band | null,
  y: (value: number) => number,
  height: number,
): { y: number; height: number } | null {
  if (band === null || (band.target_low === null && band.target_high === null)) return null;
  const top = Math.min(height, Math.max(0, band.target_high === null ? 0 : y(band.target_high)));
  const bottom = Math.min(height, Math.max(0, band.target_low === null ? height : y(band.target_low)));
  return bottom > top ? { y: top, height: round(bottom - top) } : null;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
