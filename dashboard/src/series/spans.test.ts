import { describe, expect, it } from 'vitest';

import { aroundEpisode, between, clipped, moved, notAfter, resolve, SPAN_MAX_MS, SPAN_MIN_MS, zoomed } from './spans';

const HOUR = 3_600_000;

describe('a span', () => {
  it('follows the clock when it is named, and stands still when it was picked', () => {
    expect(resolve({ kind: 'last', span: '6h' }, 10 * HOUR)).toEqual({ from_ms: 4 * HOUR, to_ms: 10 * HOUR });
    const custom = { kind: 'custom', from_ms: 1, to_ms: 2 } as const;
    expect(resolve(custom, 99)).toEqual({ from_ms: 1, to_ms: 2 });
  });

  it('is put in order and kept within its bounds', () => {
    expect(between(5 * HOUR, 2 * HOUR)).toEqual({ from_ms: 2 * HOUR, to_ms: 5 * HOUR });
    const narrow = between(0, 1_000);
    expect(narrow.to_ms - narrow.from_ms).toBe(SPAN_MIN_MS);
    const wide = between(0, 4 * SPAN_MAX_MS);
    expect(wide.to_ms - wide.from_ms).toBe(SPAN_MAX_MS);
  });

  it('zooms about a time that stays where it is on the screen', () => {
    const range = { from_ms: 0, to_ms: 8 * HOUR };
    expect(zoomed(range, 0.5, 2 * HOUR)).toEqual({ from_ms: HOUR, to_ms: 5 * HOUR });
    expect(zoomed(range, 2, 8 * HOUR)).toEqual({ from_ms: -8 * HOUR, to_ms: 8 * HOUR });
  });

  it('moves by a share of itself, and not into the future', () => {
    const range = { from_ms: 2 * HOUR, to_ms: 4 * HOUR };
    expect(moved(range, 0.5)).toEqual({ from_ms: 3 * HOUR, to_ms: 5 * HOUR });
    expect(notAfter(moved(range, 0.5), 4 * HOUR)).toEqual(range);
    expect(notAfter(range, 9 * HOUR)).toEqual(range);
  });

  it('is clipped to what is shown', () => {
    const shown = { from_ms: 10, to_ms: 20 };
    expect(clipped({ from_ms: 0, to_ms: 15 }, shown)).toEqual({ from_ms: 10, to_ms: 15 });
    expect(clipped({ from_ms: 20, to_ms: 30 }, shown)).toBeNull();
  });

  it('leaves room around an episode, but none after now', () => {
    expect(aroundEpisode(10 * HOUR, null, 12 * HOUR)).toEqual({ from_ms: 10 * HOUR - 1.2 * HOUR, to_ms: 12 * HOUR });
    expect(aroundEpisode(10 * HOUR, 10.5 * HOUR, 20 * HOUR)).toEqual({ from_ms: 9 * HOUR, to_ms: 11.5 * HOUR });
  });

  it('since something began goes from there to now, and is a day where that is not known', () => {
    const view = { kind: 'since', what: 'stage' } as const;
    expect(resolve(view, 10 * 86_400_000, 86_400_000)).toEqual({ from_ms: 86_400_000, to_ms: 10 * 86_400_000 });
    expect(resolve(view, 10 * 86_400_000)).toEqual({ from_ms: 9 * 86_400_000, to_ms: 10 * 86_400_000 });
    expect(resolve(view, 1_000, 900).from_ms).toBe(1_000 - 600_000);
  });
});
