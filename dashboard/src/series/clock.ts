// The gateway's clock, as far as a page can know it: it may run ahead of this machine's clock, and
// in a demonstration faster than it. Not here: reading any clock.

export type Clock = {
  /** What the gateway's clock said, in ms since 1970. */
  gateway_ms: number;
  /** When it said so, on this machine's own clock. */
  wall_ms: number;
  /** How many times faster than the wall it runs. */
  speed: number;
};

/** Returns what the gateway's clock says when this machine's clock says `wall_ms`. */
export function gatewayNow(clock: Clock, wall_ms: number): number {
  return clock.gateway_ms + Math.max(0, wall_ms - clock.wall_ms) * clock.speed;
}

/** Returns the clock after the gateway said `gateway_ms`; the speed stays unless a new one is named. */
export function anchored(
  clock: Clock | null,
  gateway_ms: number,
  wall_ms: number,
  speed?: number,
): Clock {
  return { gateway_ms, wall_ms, speed: speed ?? clock?.speed ?? 1 };
}

/** Returns how long ago `then_ms` was; a time in the future is no time ago. */
export function age(now_ms: number, then_ms: number): number {
  return Math.max(0, now_ms - then_ms);
}

export type DurationUnit = 'second' | 'minute' | 'hour' | 'day';

/** A duration in its largest unit and, where it helps, the next one. */
export type DurationParts = {
  count: number;
  unit: DurationUnit;
  rest: number;
  rest_unit: DurationUnit | null;
};

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Splits a duration for people: 8 s, 12 min, 2 h 10 min, 3 d 4 h. Always rounds down. */
export function durationParts(duration_ms: number): DurationParts {
  const ms = Math.max(0, duration_ms);
  if (ms < MINUTE_MS) {
    return { count: Math.floor(ms / SECOND_MS), unit: 'second', rest: 0, rest_unit: null };
  }
  if (ms < HOUR_MS) {
    return { count: Math.floor(ms / MINUTE_MS), unit: 'minute', rest: 0, rest_unit: null };
  }
  if (ms < DAY_MS) {
    const rest = Math.floor((ms % HOUR_MS) / MINUTE_MS);
    return { count: Math.floor(ms / HOUR_MS), unit: 'hour', rest, rest_unit: rest > 0 ? 'minute' : null };
  }
  const rest = Math.floor((ms % DAY_MS) / HOUR_MS);
  return { count: Math.floor(ms / DAY_MS), unit: 'day', rest, rest_unit: rest > 0 ? 'hour' : null };
}
