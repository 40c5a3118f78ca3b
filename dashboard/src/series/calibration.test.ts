import { expect, test } from 'vitest';

import type { Calibration } from '../api/types';
import { offsetOf, pointsOf, work } from './calibration';

const part = { from_ms: 0, to_ms: null, readings: 3, flags: 1, derived: 9, done_ms: 5 };
const one: Calibration = {
  number: 1, from_ms: 0, to_ms: null, holds: true, points: [{ raw: 25.3, reference: 25 }], gain: 1, by: 'li.na', entered_ms: 0, note: '', withdrawn: null, work: [],
};

test('one point is an offset, two are a line', () => {
  expect(offsetOf(one)).toBe(-0.3);
  expect(offsetOf({ ...one, points: [{ raw: 4, reference: 4.01 }, { raw: 7, reference: 6.86 }] })).toBeNull();
});

test('typed points are numbers in either notation, or nothing', () => {
  const typed = { raw1: '4,12', reference1: ' 4.01 ', raw2: '', reference2: '' };
  expect(pointsOf(typed)).toEqual([{ raw: 4.12, reference: 4.01 }]);
  expect(pointsOf({ ...typed, raw2: '−1', reference2: '-1.5' })).toEqual([{ raw: 4.12, reference: 4.01 }, { raw: -1, reference: -1.5 }]);
  expect(pointsOf({ ...typed, raw1: 'four' })).toBeNull();
  expect(pointsOf({ ...typed, raw2: '7' })).toBeNull();
});

test('the work of a calibration is done when all of it is', () => {
  expect(work(one)).toBeNull();
  expect(work({ ...one, work: [part, part] })).toEqual({ done: true, readings: 6, flags: 2, derived: 18 });
  expect(work({ ...one, work: [part, { ...part, done_ms: null }] })?.done).toBe(false);
});
