import { describe, expect, it } from 'vitest';

import type { Band } from '../api/types';
import { spark } from './sparkline';

const band: Band = { target_low: 10, target_high: 20, limits: [], target_class: null, sources: [], note: null };

describe('a small line', () => {
  it('is broken at gaps, and shows a lonely point', () => {
    const { path, dots, last } = spark([10, 15, null, 12, null, 20, 18], null, 100, 40);
    expect(path.match(/M/gu)).toHaveLength(2);
    expect(dots).toHaveLength(1);
    expect(last?.x).toBe(97);
  });

  it('stays inside its box with its band', () => {
    const drawn = spark([10, 15, 20], band, 100, 40);
    expect(drawn.band?.y).toBeGreaterThanOrEqual(0);
    expect((drawn.band?.y ?? 0) + (drawn.band?.height ?? 99)).toBeLessThanOrEqual(40);
  });

  it('is not flattened by a band that is far away', () => {
    const { path } = spark([30, 40], { ...band, target_low: -500, target_high: -400 }, 100, 40);
    const heights = [...path.matchAll(/[ML][\d.]+ ([\d.]+)/gu)].map((match) => Number(match[1]));
    expect(Math.abs((heights[0] ?? 0) - (heights[1] ?? 0))).toBeGreaterThan(15);
  });

  it('is nothing where nothing was measured', () => {
    expect(spark([null, null], band, 100, 40)).toEqual({ path: '', dots: [], band: null, last: null });
  });
});
