import { describe, expect, it } from 'vitest';

import type { Latest, Series } from '../api/types';
import { aligned, appended, drawn, line, nearest, summary, tabulated } from './columns';

const MINUTE = 60_000;

function columns(step_ms: number, means: (number | null)[], extra: Partial<Series> = {}): Series {
  return {
    channel: 1,
    unit: 'Cel',
    step_ms,
    time_ms: means.map((_, index) => index * step_ms),
    min: means.map((mean) => (mean === null ? null : mean - 1)),
    mean: means,
    max: means.map((mean) => (mean === null ? null : mean + 1)),
    count: means.map((mean) => (mean === null ? 0 : 1)),
    quality: means.map((mean) => (mean === null ? null : 1)),
    ...extra,
  };
}

function latest(time_ms: number, value: number | null, quality = 'good'): Latest {
  return { time: '', time_ms, value, fault: value === null ? 'bus' : null, quality };
}

describe('a line', () => {
  it('is not torn by buckets narrower than the sampling interval', () => {
    const every = line(columns(20_000, [1, null, null, 2, null, null, 3]), MINUTE);
    expect(every.mean).toEqual([1, 2, 3]);
    expect(every.time_ms).toEqual([0, 60_000, 120_000]);
  });

  it('shows a silence as a gap, with one null between', () => {
    const gap = line(columns(MINUTE, [1, null, null, null, 2]), MINUTE);
    expect(gap.mean).toEqual([1, null, 2]);
    expect(gap.time_ms).toEqual([0, 120_000, 240_000]);
  });

  it('is the sum of each bucket where the quantity adds up, and its mean where not', () => {
    const hours = columns(60 * MINUTE, [0.2, null, 0.5], { count: [60, 0, 4] });
    expect(drawn('rainfall', hours).mean).toEqual([12, null, 2]);
    expect(line(drawn('rainfall', hours), 15 * MINUTE).max).toEqual([12, 2]);
    expect(drawn('wind_speed', hours)).toBe(hours);
  });

  it('puts a bucket of many samples in its middle', () => {
    expect(line(columns(MINUTE, [1], { count: [30] }), null).time_ms).toEqual([30_000]);
  });

  it('is empty where nothing was measured', () => {
    expect(line(columns(MINUTE, [null, null]), MINUTE).time_ms).toEqual([]);
  });
});

describe('lines on one x', () => {
  it('keep the whole width of their gaps among the points of others', () => {
    const one = { time_ms: [0, 3, 6], mean: [1, null, 2], min: [1, null, 2], max: [1, null, 2], quality: [1, null, 1] };
    const other = { time_ms: [1, 2, 4, 5, 7], mean: [1, 1, 1, 1, 1], min: [1, 1, 1, 1, 1], max: [1, 1, 1, 1, 1], quality: [1, 1, 1, 1, 1] };
    const { columns } = aligned([one, other]);
    expect(columns[0]?.mean).toEqual([1, null, null, null, null, null, 2, undefined]);
    expect(columns[1]?.mean).toEqual([undefined, 1, 1, undefined, 1, 1, undefined, 1]);
  });

  it('are undefined where only another line has a point', () => {
    const a = line(columns(MINUTE, [1, 2]), MINUTE);
    const b = line({ ...columns(MINUTE, [5, null, null, null, 6]), time_ms: [30_000, 90_000, 150_000, 210_000, 270_000] }, MINUTE);
    const both = aligned([a, b]);
    expect(both.time_ms).toEqual([0, 30_000, 60_000, 150_000, 270_000]);
    expect(both.columns[0]?.mean).toEqual([1, undefined, 2, undefined, undefined]);
    expect(both.columns[1]?.mean).toEqual([undefined, 5, null, null, 6]);
  });
});

describe('a live sample', () => {
  const start = columns(MINUTE, [10, 20]);

  it('opens a new bucket', () => {
    const next = appended(start, latest(130_000, 30, 'suspect'));
    expect(next.time_ms).toEqual([0, 60_000, 120_000]);
    expect(next.mean).toEqual([10, 20, 30]);
    expect(next.quality).toEqual([1, 1, 3]);
  });

  it('widens the bucket that it falls into', () => {
    const next = appended(start, latest(100_000, 30));
    expect(next.mean).toEqual([10, 25]);
    expect(next.max).toEqual([11, 30]);
    expect(next.min).toEqual([9, 19]);
    expect(next.count).toEqual([1, 2]);
  });

  it('changes nothing when it is late or a fault', () => {
    expect(appended(start, latest(59_999, 99))).toBe(start);
    expect(appended(start, latest(200_000, null))).toBe(start);
  });

  it('begins columns that had none', () => {
    const next = appended(columns(MINUTE, []), latest(90_000, 7));
    expect(next.time_ms).toEqual([60_000]);
    expect(next.mean).toEqual([7]);
  });
});

describe('a summary', () => {
  it('weighs the mean by samples and counts the gaps', () => {
    const sum = summary(columns(MINUTE, [10, null, null, null, 20], { count: [1, 0, 0, 0, 3] }), MINUTE);
    expect(sum).toEqual({ min: 9, mean: 17.5, max: 21, gaps: 1, gap_ms: 180_000 });
  });

  it('says nothing about nothing', () => {
    expect(summary(columns(MINUTE, [null]), MINUTE)).toBeNull();
  });
});

describe('the point under the cursor', () => {
  const one = line(columns(MINUTE, [1, 2, null, null, null, null, 3]), MINUTE);

  it('is the nearest with a value', () => {
    expect(nearest(one, 55_000, 60_000)).toBe(1);
    expect(one.mean[nearest(one, 350_000, 60_000) ?? -1]).toBe(3);
  });

  it('is none in the middle of a gap', () => {
    expect(nearest(one, 200_000, 60_000)).toBeNull();
  });
});

describe('a table', () => {
  it('has a row for each part of the span, empty where nothing was measured', () => {
    const rows = tabulated([line(columns(MINUTE, [1, 3, null, null, null, null, 5, 7]), MINUTE)], 0, 480_000, 4);
    expect(rows.map(({ cells }) => cells[0]?.mean ?? null)).toEqual([2, null, null, 6]);
    expect(rows[0]?.cells[0]).toEqual({ min: 0, mean: 2, max: 4 });
  });
});
