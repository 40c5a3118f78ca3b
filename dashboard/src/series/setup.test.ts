import { expect, it } from 'vitest';

import type { Setup } from '../api/types';
import { firstOpen, stepsDone } from './setup';

const at = (fields: Partial<Setup>): Setup => ({ sites: 0, zones: 0, planted: 0, nodes: 0, heard: 0, readings: false, mqtt: [], https: [], ...fields });

it('the first hour is taken up where it was left', () => {
  expect(firstOpen(at({}))).toBe('site');
  expect(firstOpen(at({ sites: 1 }))).toBe('zone');
  expect(firstOpen(at({ sites: 1, zones: 1 }))).toBe('node');
  expect(firstOpen(at({ sites: 1, zones: 1, nodes: 1 }))).toBe('reading');
  expect(stepsDone(at({ sites: 1, zones: 1, nodes: 1, readings: true })).reading).toBe(true);
});
