import { describe, expect, it } from 'vitest';

import type { Line } from './columns';
import { spread, timeTicks, valueExtent, valueTicks } from './scales';
import { fromLocalInput, localDate, localDay, offsetAt, shiftedDate, toLocalInput } from './zone';

const HOUR = 3_600_000;
const shanghai = (time_ms: number): number => offsetAt(time_ms, 'Asia/Shanghai');
const all = { from_ms: 0, to_ms: 1_000 };

function flat(value: number): Line {
  return { time_ms: [0, 500], min: [value, value], mean: [value, value], max: [value, value], quality: [1, 1] };
}

describe('the values that a chart shows', () => {
  it('hold the data, the band and limits nearby, not those far away', () => {
    const limit = { ...all, side: 'high', severity: 'high', wakes: true } as const;
    const extent = valueExtent('air_temperature', [flat(25)], [{ ...all, low: 20, high: 28 }], [
      { ...limit, limit: 30 },
      { ...limit, limit: 60 },
    ], all);
    expect(extent.low).toBeLessThan(20);
    expect(extent.high).toBeGreaterThan(30);
    expect(extent.high).toBeLessThan(40);
  });

  it('never leave what the quantity can be', () => {
    const humid = valueExtent('relative_humidity', [flat(99.9)], [{ ...all, low: 60, high: 100 }], [], all);
    expect(humid.high).toBeLessThanOrEqual(100.5);
    expect(valueExtent('illuminance', [flat(4_000)], [], [], all).low).toBe(0);
  });

  it('do not let noise fill the chart', () => {
    const { low, high } = valueExtent('air_temperature', [flat(25)], [], [], all);
    expect(high - low).toBeGreaterThan(0.4);
  });

  it('have something to show even without data', () => {
    expect(valueExtent('co2', [], [], [], all)).toEqual({ low: 0, high: 1 });
  });
});

describe('ticks on values', () => {
  it.each([
    [0, 100, 5, [0, 20, 40, 60, 80, 100], 0],
    [19.2, 30.9, 5, [20, 22.5, 25, 27.5, 30], 1],
    [0, 1.6, 4, [0, 0.5, 1, 1.5], 1],
    [-3, 3, 3, [-2, 0, 2], 0],
  ])('%d to %d', (low, high, count, expected, decimals) => {
    expect(valueTicks({ low, high }, count)).toEqual({ ticks: expected, decimals });
  });
});

describe('ticks on times', () => {
  it('stand on round local hours and know midnight', () => {
    const from_ms = Date.parse('2026-08-14T03:10:00+08:00');
    const ticks = timeTicks({ from_ms, to_ms: from_ms + 24 * HOUR }, 8, shanghai);
    expect(ticks.map(({ time_ms }) => toLocalInput(time_ms, 'Asia/Shanghai').slice(11))).toEqual([
      '06:00', '09:00', '12:00', '15:00', '18:00', '21:00', '00:00', '03:00',
    ]);
    expect(ticks.filter(({ midnight }) => midnight)).toHaveLength(1);
  });

  it('stay on local midnight across a change of clocks', () => {
    const berlin = (time_ms: number): number => offsetAt(time_ms, 'Europe/Berlin');
    const from_ms = Date.parse('2026-10-23T00:00:00+02:00');
    const ticks = timeTicks({ from_ms, to_ms: from_ms + 5 * 24 * HOUR }, 6, berlin);
    for (const { time_ms } of ticks) expect(toLocalInput(time_ms, 'Europe/Berlin').slice(11)).toBe('00:00');
    expect(ticks.length).toBeGreaterThan(4);
  });
});

describe('labels', () => {
  it('keep apart and inside', () => {
    expect(spread([50, 52, 54], 16, 100)).toEqual([50, 66, 82]);
    expect(spread([95, 96], 16, 100)).toEqual([76, 92]);
    expect(spread([0], 16, 100)).toEqual([8]);
  });
});

describe('local time', () => {
  it('goes into an input and back', () => {
    const time = Date.parse('2026-08-14T06:30:00+08:00');
    expect(toLocalInput(time, 'Asia/Shanghai')).toBe('2026-08-14T06:30');
    expect(fromLocalInput('2026-08-14T06:30', 'Asia/Shanghai')).toBe(time);
    expect(fromLocalInput('', 'Asia/Shanghai')).toBeNull();
  });

  it('begins a day at local midnight', () => {
    const midnight = Date.parse('2026-08-14T00:00:00+08:00');
    expect(localDay(midnight, 'Asia/Shanghai') - localDay(midnight - 1, 'Asia/Shanghai')).toBe(1);
  });

  it('has its own date, and days before and after it', () => {
    expect(localDate(Date.parse('2026-11-22T16:30:00Z'), 'Asia/Shanghai')).toBe('2026-11-23');
    expect(localDate(Date.parse('2026-11-22T16:30:00Z'), 'Europe/London')).toBe('2026-11-22');
    expect(shiftedDate('2028-02-28', 1)).toBe('2028-02-29');
    expect(shiftedDate('2026-01-01', -1)).toBe('2025-12-31');
    expect(shiftedDate('today', 1)).toBe('today');
  });
});
