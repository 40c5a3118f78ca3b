// Spans of time on a chart: named ones that follow the clock, and custom ones that stand still.
// Not here: what a browser's address looks like.

export const SPAN_NAMES = ['6h', '24h', '7d', '30d'] as const;
export type SpanName = (typeof SPAN_NAMES)[number];

/** What the leading batch of a house began, as a chart may show it since. */
export const BEGINNINGS = ['stage', 'batch'] as const;
export type Beginning = (typeof BEGINNINGS)[number];

/**
 * What a chart shows: the last so many hours or all since something began, both always up to now, or
 * a span that was picked.
 */
export type View =
  | { kind: 'last'; span: SpanName }
  | { kind: 'since'; what: Beginning }
  | { kind: 'custom'; from_ms: number; to_ms: number };

export type Range = { from_ms: number; to_ms: number };

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const LENGTH_MS: Record<SpanName, number> = {
  '6h': 6 * HOUR_MS,
  '24h': DAY_MS,
  '7d': 7 * DAY_MS,
  '30d': 30 * DAY_MS,
};

/** The narrowest span; a narrower wish is widened to it. */
export const SPAN_MIN_MS = 10 * MINUTE_MS;
/** The widest span; a wider wish is narrowed to it. */
export const SPAN_MAX_MS = 366 * DAY_MS;

/** Returns the span that `view` shows when the gateway's clock says `now_ms`; a day where it isn't known what began. */
export function resolve(view: View, now_ms: number, since_ms: number | null = null): Range {
  if (view.kind === 'custom') return { from_ms: view.from_ms, to_ms: view.to_ms };
  if (view.kind === 'since') {
    const length = since_ms === null ? DAY_MS : Math.min(SPAN_MAX_MS, Math.max(SPAN_MIN_MS, now_ms - since_ms));
    return { from_ms: now_ms - length, to_ms: now_ms };
  }
  return { from_ms: now_ms - LENGTH_MS[view.span], to_ms: now_ms };
}

/** Returns the span between two times, in order and neither too narrow nor too wide. */
export function between(a_ms: number, b_ms: number): Range {
  const from = Math.min(a_ms, b_ms);
  const to = Math.max(a_ms, b_ms);
  const length = Math.min(SPAN_MAX_MS, Math.max(SPAN_MIN_MS, to - from));
  const middle = (from + to) / 2;
  return { from_ms: Math.round(middle - length / 2), to_ms: Math.round(middle + length / 2) };
}

/** Returns the span `factor` times as long, with `fixed_ms` staying where it is on the screen. */
export function zoomed(range: Range, factor: number, fixed_ms: number): Range {
  const length = range.to_ms - range.from_ms;
  const wanted = Math.min(SPAN_MAX_MS, Math.max(SPAN_MIN_MS, length * factor));
  const share = length > 0 ? (fixed_ms - range.from_ms) / length : 0.5;
  const from = fixed_ms - wanted * share;
  return { from_ms: Math.round(from), to_ms: Math.round(from + wanted) };
}

/** Returns the span moved by a share of its own length: 0.5 is half a span later. */
export function moved(range: Range, share: number): Range {
  const by = Math.round((range.to_ms - range.from_ms) * share);
  return { from_ms: range.from_ms + by, to_ms: range.to_ms + by };
}

/** Returns the span moved back so far that it does not reach beyond `now_ms`. */
export function notAfter(range: Range, now_ms: number): Range {
  const by = Math.max(0, range.to_ms - now_ms);
  return { from_ms: range.from_ms - by, to_ms: range.to_ms - by };
}

/** Returns the part of `span` inside `range`, or null where they do not meet. */
export function clipped(span: Range, range: Range): Range | null {
  const from_ms = Math.max(span.from_ms, range.from_ms);
  const to_ms = Math.min(span.to_ms, range.to_ms);
  return from_ms < to_ms ? { from_ms, to_ms } : null;
}

/** Returns the span of a chart that shows one episode with room around it. */
export function aroundEpisode(started_ms: number, ended_ms: number | null, now_ms: number): Range {
  const end = ended_ms ?? now_ms;
  const room = Math.max(HOUR_MS, (end - started_ms) * 0.6);
  return { from_ms: Math.round(started_ms - room), to_ms: Math.round(Math.min(now_ms, end + room)) };
}
