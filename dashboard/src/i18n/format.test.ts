import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { Alarm } from '../api/types';
import { ago, alarmText, bandText, duration, measured, moment, number, positionName, sampleTitle, unitText, valueText } from './format';
import { speak } from './language.svelte';
import { keepTime, siteZone } from './zone.svelte';

vi.stubGlobal('localStorage', { getItem: () => null, setItem: () => undefined });

beforeEach(() => speak('en'));

const time = Date.parse('2026-08-14T06:30:05+08:00');

describe('numbers', () => {
  it('have their decimals, thousands and a true minus', () => {
    expect(number(12_345.67, 1)).toBe('12,345.7');
    expect(number(-0.5, 1)).toBe('−0.5');
    expect(number(-0.04, 1)).toBe('0.0');
  });

  it('have their unit as people write it', () => {
    expect(measured(23.42, 1, 'Cel')).toBe('23.4\u00a0°C');
    expect(measured(5.5, 1, '[pH]')).toBe('5.5');
    expect(measured(1, 0, '[furlong]')).toBe('1\u00a0[furlong]');
  });
});

describe('times', () => {
  it('are those of the site, wherever the browser is', () => {
    expect(moment(time, time + 1_000)).toBe('06:30');
    expect(moment(time, time + 86_400_000)).toBe('14 Aug 06:30');
    speak('zh');
    expect(moment(time, time + 86_400_000)).toBe('8月14日 06:30');
  });

  it('are those of another site where one is named, and of the page where it changes', () => {
    expect(moment(time, time, 'Europe/London')).toBe('23:30');
    keepTime('Asia/Kathmandu');
    expect(moment(time, time)).toBe('04:15');
    keepTime('Nowhere/At all');
    expect(siteZone()).toBe('Asia/Kathmandu');
    keepTime('Asia/Shanghai');
  });

  it('are never in the future', () => {
    expect(ago(time, time + 5_000)).toBe('just now');
    expect(ago(time + 125_000, time)).toBe('2 min ago');
    speak('zh');
    expect(ago(time + 7_900_000, time)).toBe('2 小时 11 分钟前');
    expect(duration(42_000)).toBe('42 秒');
  });
});

describe('contacts', () => {
  it('are words, and other values numbers', () => {
    expect(valueText('door_open', 1, 0)).toBe('open');
    expect(valueText('mains_present', 0, 0)).toBe('off');
    // The mean of an hour is a share, not a state.
    expect(valueText('door_open', 0.5, 1)).toBe('0.5');
    expect(valueText('co2', 1, 0)).toBe('1');
    expect(unitText('1')).toBe('');
    const latest = { time: '', time_ms: 0, value: 1, fault: null, quality: 'good' };
    expect(sampleTitle('mist_flow', latest, 0, '1', 'UTC')).toContain('flowing');
  });
});

describe('words', () => {
  it('say a band', () => {
    const band = { limits: [], target_class: null, sources: [], note: null };
    expect(bandText({ ...band, target_low: 18, target_high: 27.5 }, 1)).toBe('18–27.5');
    expect(bandText({ ...band, target_low: 85, target_high: null }, 0)).toBe('≥ 85');
    expect(bandText({ ...band, target_low: null, target_high: null }, 0)).toBeNull();
  });

  it('say a place', () => {
    expect(positionName('bench-a')).toBe('bench A');
    expect(positionName('x9')).toBe('x9');
    speak('zh');
    expect(positionName('canopy')).toBe('冠层');
  });

  it('say an alarm', () => {
    const alarm = { kind: 'limit', quantity: 'air_temperature', unit: 'Cel', side: 'high', limit: 35, value: 36, peak: 38.04 } as Alarm;
    expect(alarmText(alarm)).toBe('Air temperature 38.0\u00a0°C, above the limit of 35\u00a0°C');
    expect(alarmText({ ...alarm, kind: 'stale' })).toBe('No fresh data: Air temperature');
    expect(alarmText({ ...alarm, kind: 'offline', node: 'bench-1' })).toBe('Node bench-1 is offline');
    speak('zh');
    expect(alarmText(alarm)).toBe('空气温度 38.0\u00a0°C，超上限 35\u00a0°C');
  });
});
