// What a crop wants through time, cut into pieces that a chart can fill and stroke.
// Not here: colours.
import type { Band, BandStep, BandTrack, Severity, Side } from '../api/types';
import type { Range } from './spans';

/** A stretch of one target band; an absent edge is open. */
export type BandPiece = Range & { low: number | null; high: number | null };

/** A stretch of one alarm limit. */
export type LimitPiece = Range & { side: Side; severity: Severity; limit: number; wakes: boolean };

/** Returns the target band inside `range`, neighbours of equal band joined. */
export function bandPieces(steps: readonly BandStep[], range: Range): BandPiece[] {
  const pieces: BandPiece[] = [];
  for (const { from_ms, to_ms, band } of held(steps, range)) {
    if (band === null || (band.target_low === null && band.target_high === null)) continue;
    const last = pieces.at(-1);
    if (last && last.to_ms === from_ms && last.low === band.target_low && last.high === band.target_high) {
      last.to_ms = to_ms;
    } else {
      pieces.push({ from_ms, to_ms, low: band.target_low, high: band.target_high });
    }
  }
  return pieces;
}

/** Returns the alarm limits inside `range`, neighbours of equal limit joined. */
export function limitPieces(steps: readonly BandStep[], range: Range): LimitPiece[] {
  const done: LimitPiece[] = [];
  let open: LimitPiece[] = [];
  for (const { from_ms, to_ms, band } of held(steps, range)) {
    const next: LimitPiece[] = [];
    for (const { side, severity, limit, wakes } of band?.limits ?? []) {
      const before = open.find(
        (piece) =>
          piece.to_ms === from_ms &&
          piece.side === side &&
          piece.severity === severity &&
          piece.limit === limit &&
          piece.wakes === wakes,
      );
      if (before) {
        before.to_ms = to_ms;
        next.push(before);
      } else {
        const piece = { from_ms, to_ms, side, severity, limit, wakes };
        done.push(piece);
        next.push(piece);
      }
    }
    open = next;
  }
  return done;
}

function held(steps: readonly BandStep[], range: Range): (Range & { band: Band | null })[] {
  const out: (Range & { band: Band | null })[] = [];
  for (const [index, step] of steps.entries()) {
    const from_ms = Math.max(step.from_ms, range.from_ms);
    const to_ms = Math.min(steps[index + 1]?.from_ms ?? Infinity, range.to_ms);
    if (from_ms < to_ms) out.push({ from_ms, to_ms, band: step.band });
  }
  return out;
}

/** Returns the band that holds at `time_ms`. */
export function bandAt(track: BandTrack | undefined, time_ms: number): Band | null {
  return track?.steps.findLast((step) => step.from_ms <= time_ms)?.band ?? null;
}

/** Where a value stands against a band. */
export type Standing = { kind: 'none' } | { kind: 'inside' } | { kind: 'outside'; side: Side; severity: Severity | null };

/** Returns where `value` stands: the worst limit that it breaks, else the edge of the target band that it left. */
export function standing(value: number, band: Band | null): Standing {
  if (band === null) return { kind: 'none' };
  for (const severity of SEVERITIES) {
    for (const limit of band.limits) {
      if (limit.severity !== severity) continue;
      if (limit.side === 'high' ? value > limit.limit : value < limit.limit) {
        return { kind: 'outside', side: limit.side, severity };
      }
    }
  }
  if (band.target_high !== null && value > band.target_high) return { kind: 'outside', side: 'high', severity: null };
  if (band.target_low !== null && value < band.target_low) return { kind: 'outside', side: 'low', severity: null };
  return band.target_low === null && band.target_high === null ? { kind: 'none' } : { kind: 'inside' };
}

/** Most severe first. */
export const SEVERITIES = ['critical', 'high', 'medium', 'low'] as const satisfies readonly Severity[];
