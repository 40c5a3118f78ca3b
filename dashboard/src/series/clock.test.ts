import { describe, expect, it } from 'vitest';

import { age, anchored, durationParts, gatewayNow } from './clock';

describe("the gateway's clock", () => {
  it('runs as fast as the gateway says, from where it last said', () => {
    const clock = anchored(null, 1_000_000, 500, 60);
    expect(gatewayNow(clock, 500)).toBe(1_000_000);
    expect(gatewayNow(clock, 2_500)).toBe(1_120_000);
  });

  it('keeps its speed when only the time is said again', () => {
    const clock = anchored(anchored(null, 0, 0, 60), 9_000, 100);
    expect(gatewayNow(clock, 1_100)).toBe(69_000);
  });

  it('does not run backwards when the wall clock is set back', () => {
    expect(gatewayNow(anchored(null, 7_000, 1_000), 400)).toBe(7_000);
  });

  it('knows no age below zero', () => {
    expect(age(1_000, 5_000)).toBe(0);
    expect(age(5_000, 1_000)).toBe(4_000);
  });
});

describe('a duration', () => {
  const parts = (ms: number): string => {
    const { count, unit, rest, rest_unit } = durationParts(ms);
    return rest_unit === null ? `${count} ${unit}` : `${count} ${unit} ${rest} ${rest_unit}`;
  };

  it.each([
    [-5, '0 second'],
    [59_999, '59 second'],
    [60_000, '1 minute'],
    [3_599_999, '59 minute'],
    [3_600_000, '1 hour'],
    [7_800_000, '2 hour 10 minute'],
    [86_400_000, '1 day'],
    [90_000_000, '1 day 1 hour'],
  ])('%d ms is %s', (ms, expected) => {
    expect(parts(ms)).toBe(expected);
  });
});
