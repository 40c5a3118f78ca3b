import { describe, expect, it } from 'vitest';

import type { Band, BatchExposure, BatchSeries, Exposure } from '../api/types';
import { agedBands, agedLine, agedRange, agedWithin, DAY_MS, dayOf, stageParts } from './compare';
import { commonStages, differences, honesty } from './differences';

const HOUR = 3_600_000;

function series(mean: (number | null)[], fields: Partial<BatchSeries> = {}): BatchSeries {
  return {
    batch: { started_ms: 1_000 * DAY_MS } as BatchSeries['batch'], quantity: 'air_temperature', unit: 'Cel', decimals: 1, step_ms: HOUR,
    offset_ms: mean.map((_, index) => index * HOUR), min: mean, mean, max: mean, stages: [], ...fields,
  };
}
const wants = (low: number, high: number): Band => ({ target_low: low, target_high: high, limits: [], target_class: null, sources: [], note: null });
const stage = (from: number, to: number, band: Band | null = null): BatchSeries['stages'][number] => ({
  span: { from_ms: from * DAY_MS, to_ms: to * DAY_MS }, name: { zh: '育苗', en: 'seedlings' }, band,
});

describe('batches on one axis', () => {
  it('begin at nought, whenever they were started', () => {
    const early = agedLine(series([20, 21]));
    const late = agedLine(series([22, 23], { batch: { started_ms: 2_000 * DAY_MS } as BatchSeries['batch'] }));
    expect(early.time_ms).toEqual([HOUR / 2, 1.5 * HOUR]);
    expect(late.time_ms).toEqual(early.time_ms);
  });

  it('keep their gaps', () => {
    const one = agedLine(series([20, null, null, null, 24]));
    expect(one.mean).toEqual([20, null, 24]);
    expect(one.time_ms[1]).toBe(2.5 * HOUR);
    expect(agedLine(series([20, null, 24])).mean).toEqual([20, 24]);
  });

  it('are as long as the longest of them', () => {
    expect(agedRange([series([1, 2, 3]), series([1], { stages: [stage(0, 9)] })])).toEqual({ from_ms: 0, to_ms: 9 * DAY_MS });
    expect(agedRange([]).to_ms).toBeGreaterThan(0);
  });

  it('are shown in part, never beyond their ends', () => {
    const whole = { from_ms: 0, to_ms: 10 * DAY_MS };
    expect(agedWithin({ from_ms: -DAY_MS, to_ms: DAY_MS }, whole)).toEqual({ from_ms: 0, to_ms: 2 * DAY_MS });
    expect(agedWithin({ from_ms: 9 * DAY_MS, to_ms: 12 * DAY_MS }, whole)).toEqual({ from_ms: 7 * DAY_MS, to_ms: 10 * DAY_MS });
    expect(agedWithin({ from_ms: DAY_MS, to_ms: DAY_MS + 1 }, whole).to_ms).toBe(1.25 * DAY_MS);
  });

  it('have the band of their stage, neighbours of equal band joined', () => {
    const stages = [stage(0, 2, wants(18, 24)), stage(2, 4, wants(18, 24)), stage(4, 5), stage(5, 6, wants(15, 20))];
    expect(agedBands(series([], { stages }))).toEqual([
      { from_ms: 0, to_ms: 4 * DAY_MS, low: 18, high: 24 },
      { from_ms: 5 * DAY_MS, to_ms: 6 * DAY_MS, low: 15, high: 20 },
    ]);
  });

  it('have stages cut to what is shown', () => {
    const parts = stageParts(series([], { stages: [stage(0, 4), stage(4, 8), stage(8, 9)] }), { from_ms: 2 * DAY_MS, to_ms: 6 * DAY_MS });
    expect(parts.map(({ start, length }) => [start, length])).toEqual([[0, 0.5], [0.5, 0.5]]);
    expect(dayOf(1.9 * DAY_MS)).toBe(1);
  });
});

function row(quantity: string, fields: Partial<Exposure> = {}): Exposure {
  return {
    stage: null, stage_name: null, quantity, unit: '', decimals: 1, from_ms: 0, to_ms: 0, hours: 240, coverage: 1,
    min: null, mean: null, max: null, hours_below: null, hours_above: null, integral: null, sources: [], ...fields,
  };
}
const exposed = (...rows: Exposure[]): BatchExposure => ({ now_ms: 0, rows });
const thermal = (value: number): Exposure['integral'] => ({ kind: 'thermal_time', value, unit: 'Cel.d', a_day: null, a_day_unit: 'Cel.d/d', days: 0, basis: null });

describe('differences', () => {
  it('stand in order of what one would notice, not of their numbers', () => {
    const list = differences(
      [
        exposed(row('co2', { mean: 430 }), row('air_temperature', { mean: 20, hours_above: 2 }), row('relative_humidity', { mean: 88 })),
        exposed(row('co2', { mean: 450 }), row('air_temperature', { mean: 23, hours_above: 50 }), row('relative_humidity', { mean: 91 })),
      ],
      null,
    );
    expect(list.map(({ quantity, measure }) => `${quantity} ${measure}`)).toEqual([
      'air_temperature above', 'air_temperature mean', 'relative_humidity mean', 'co2 mean',
    ]);
    expect(list[1]?.apart).toBe(3);
  });

  it('of hours and integrals are compared a day, so that an older batch does not differ by its age', () => {
    const young = exposed(row('air_temperature', { hours: 240, hours_above: 10, integral: thermal(100) }));
    const old = exposed(row('air_temperature', { hours: 480, hours_above: 20, integral: thermal(200) }));
    for (const { apart, steps } of differences([young, old], null)) expect([apart, steps]).toEqual([0, 0]);
  });

  it('count only covered time', () => {
    const half = exposed(row('air_temperature', { hours: 240, coverage: 0.5, hours_above: 10 }));
    expect(differences([half, half], null)[0]?.cells[0]).toEqual({ value: 10, a_day: 2 });
    const none = exposed(row('air_temperature', { coverage: 0, hours_above: 0, hours_below: 1 }));
    expect(differences([none, none], null)[0]?.cells[0]?.a_day).toBeNull();
  });

  it('leave out what one batch alone has, and hours that nobody had', () => {
    const list = differences([exposed(row('co2', { mean: 1 }), row('ppfd', { mean: 1, hours_below: 0 })), exposed(row('ppfd', { mean: 1, hours_below: 0 }))], null);
    expect(list.map(({ quantity, measure }) => `${quantity} ${measure}`)).toEqual(['ppfd mean']);
  });

  it('of one stage are of that stage alone', () => {
    const name = { zh: '生根', en: 'rooting' };
    const both = (mean: number): BatchExposure => exposed(row('co2', { mean: 400 }), row('co2', { stage: '1-root', stage_name: name, mean }));
    const list = [both(500), both(700), exposed(row('co2', { stage: '2-grow', mean: 9 }))];
    expect(differences(list, '1-root')[0]?.cells).toEqual([{ value: 500, a_day: null }, { value: 700, a_day: null }, null]);
    expect(commonStages(list)).toEqual([{ stage: '1-root', name }]);
  });

  it('say how much is behind them', () => {
    expect(honesty(exposed(row('co2', { coverage: 0.7 }), row('ppfd', { coverage: 0.95 })), null)).toEqual({ days: 10, low: 0.7, high: 0.95 });
    expect(honesty(exposed(), null)).toBeNull();
  });
});
