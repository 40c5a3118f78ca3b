import { describe, expect, it } from 'vitest';

import type { Band } from '../api/types';
import { bandAt, bandPieces, limitPieces, standing } from './bands';

function band(low: number | null, high: number | null, limits: Band['limits'] = []): Band {
  return { target_low: low, target_high: high, limits, target_class: null, sources: [], note: null };
}
const frost = { side: 'low', severity: 'critical', limit: 2, wakes: true, class: 'A', needs_confirmation: false, confirmed_by: null } as const;
const cold = { side: 'low', severity: 'high', limit: 8, wakes: true, class: 'B', needs_confirmation: false, confirmed_by: null } as const;

describe('a band through time', () => {
  const day = band(20, 28);
  const night = band(15, 28);
  const cool = band(15, 26);
  const steps = [
    { from_ms: 0, band: day },
    { from_ms: 10, band: night },
    { from_ms: 20, band: night },
    { from_ms: 25, band: cool },
    { from_ms: 30, band: null },
    { from_ms: 40, band: day },
  ];

  it('is cut where it changes, joined where it does not, and absent where there is none', () => {
    expect(bandPieces(steps, { from_ms: 5, to_ms: 45 })).toEqual([
      { from_ms: 5, to_ms: 10, low: 20, high: 28 },
      { from_ms: 10, to_ms: 25, low: 15, high: 28 },
      { from_ms: 25, to_ms: 30, low: 15, high: 26 },
      { from_ms: 40, to_ms: 45, low: 20, high: 28 },
    ]);
  });

  it('holds from its step until the next', () => {
    const track = { quantity: 'air_temperature', steps };
    expect(bandAt(track, 9)).toBe(day);
    expect(bandAt(track, 10)).toBe(night);
    expect(bandAt(track, 35)).toBeNull();
    expect(bandAt(undefined, 35)).toBeNull();
  });

  it('has limits of their own length', () => {
    const withLimits = [
      { from_ms: 0, band: band(1, 2, [frost, cold]) },
      { from_ms: 10, band: band(3, 4, [frost]) },
    ];
    expect(limitPieces(withLimits, { from_ms: 0, to_ms: 20 })).toEqual([
      { from_ms: 0, to_ms: 20, side: 'low', severity: 'critical', limit: 2, wakes: true },
      { from_ms: 0, to_ms: 10, side: 'low', severity: 'high', limit: 8, wakes: true },
    ]);
  });
});

describe('a value against a band', () => {
  const both = band(15, 28, [cold, frost]);
  it.each([
    [20, { kind: 'inside' }],
    [28, { kind: 'inside' }],
    [29, { kind: 'outside', side: 'high', severity: null }],
    [14, { kind: 'outside', side: 'low', severity: null }],
    [7, { kind: 'outside', side: 'low', severity: 'high' }],
    [1, { kind: 'outside', side: 'low', severity: 'critical' }],
  ])('%d', (value, expected) => {
    expect(standing(value, both)).toEqual(expected);
  });

  it('says nothing without a band', () => {
    expect(standing(5, null)).toEqual({ kind: 'none' });
    expect(standing(5, band(null, null))).toEqual({ kind: 'none' });
  });
});
