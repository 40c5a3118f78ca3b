import { describe, expect, it } from 'vitest';

import type { BatchStage, Exposure } from '../api/types';
import { dayNumber, exposuresOf, freeSlug, hoursOutside, isSlug, nextStage, pace, share, slugOf } from './batches';

const DAY = 86_400_000;
const stage = (fields: Partial<BatchStage>): BatchStage => ({ stage: 'a', name: { zh: '', en: '' }, from_ms: null, to_ms: null, days_min: null, days_max: null, ...fields });
const row = (fields: Partial<Exposure>): Exposure => ({
  stage: null, stage_name: null, quantity: 'co2', unit: '[ppm]', decimals: 0, from_ms: 0, to_ms: DAY, hours: 24, coverage: 1,
  min: null, mean: null, max: null, hours_below: null, hours_above: null, integral: null, sources: [], ...fields,
});

describe('a batch', () => {
  it('is in its first day from the moment it starts', () => {
    expect([dayNumber(0, 0), dayNumber(0, DAY - 1), dayNumber(0, DAY), dayNumber(10, 0)]).toEqual([1, 1, 2, 1]);
  });

  it('is due from the least length on and over after the most', () => {
    expect([pace(5, 10, 20), pace(10, 10, 20), pace(20, 10, 20), pace(21, 10, 20), pace(5, null, null)]).toEqual(['within', 'due', 'due', 'over', 'unknown']);
    expect([pace(9, null, 8), pace(9, 8, null)]).toEqual(['over', 'due']);
  });

  it('fills its bar up to the longest that a stage takes', () => {
    expect(share(stage({}), DAY)).toBe(0);
    expect(share(stage({ from_ms: 0, to_ms: DAY }), DAY)).toBe(1);
    expect(share(stage({ from_ms: 0, days_min: 2, days_max: 4 }), DAY)).toBe(0.25);
    expect(share(stage({ from_ms: 0, days_max: 4 }), 40 * DAY)).toBe(1);
    expect(share(stage({ from_ms: 0 }), DAY)).toBe(0.5);
    expect(share(stage({ from_ms: DAY, days_max: 4 }), 0)).toBe(0);
  });

  it('goes to the stage after its own, and nowhere from the last or an unknown one', () => {
    const stages = [stage({ stage: 'a' }), stage({ stage: 'b' })];
    expect(nextStage(stages, 'a')?.stage).toBe('b');
    expect(nextStage(stages, 'b')).toBeNull();
    expect(nextStage(stages, 'x')).toBeNull();
  });
});

describe('exposures', () => {
  it('are those of one stage, temperature first and unknown quantities last', () => {
    const rows = [row({ quantity: 'zinc' }), row({}), row({ quantity: 'air_temperature' }), row({ quantity: 'air_temperature', stage: 'a' })];
    expect(exposuresOf(rows, null).map(({ quantity }) => quantity)).toEqual(['air_temperature', 'co2', 'zinc']);
    expect(exposuresOf(rows, 'a')).toHaveLength(1);
  });

  it('tell hours outside only where an edge is named', () => {
    expect(hoursOutside(row({}))).toBeNull();
    expect(hoursOutside(row({ hours_below: 2 }))).toBe(2);
    expect(hoursOutside(row({ hours_below: 2, hours_above: 0.5 }))).toBe(2.5);
  });
});

describe('an id', () => {
  it('is made of what a name has in letters and digits', () => {
    expect(slugOf('Tea 2027 · No. 3')).toBe('tea-2027-no-3');
    expect(slugOf('Lâm Đồng')).toBe('la-m-o-ng');
    expect(slugOf('大树茶')).toBe('');
    expect(slugOf('x'.repeat(40))).toHaveLength(32);
    expect([isSlug('a-1'), isSlug('A'), isSlug(''), isSlug('-a'), isSlug('x'.repeat(33))]).toEqual([true, false, false, false, false]);
  });

  it('is never one that is taken', () => {
    expect(freeSlug('tea', [])).toBe('tea');
    expect(freeSlug('tea', ['tea', 'tea-2'])).toBe('tea-3');
    expect(freeSlug('x'.repeat(32), ['x'.repeat(32)])).toBe(`${'x'.repeat(30)}-2`);
  });
});
