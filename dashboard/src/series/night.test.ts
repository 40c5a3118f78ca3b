import { describe, expect, it } from 'vitest';

import type { Alarm, Night, ZoneSummary } from '../api/types';
import { isWrong, nightRows, oldestReading, withNightAlarm, wrongNow } from './night';
import { asks, isShelved, nextMorning, parted, shelvedUntil } from './shelving';

const HOUR = 3_600_000;
const alarm = (id: string, fields: Partial<Alarm> = {}): Alarm =>
  ({ id, state: 'normal', severity: 'high', started_ms: 0, raised_ms: 0, returned_ms: HOUR, wakes: true, history: false, shelved: null, ...fields }) as Alarm;
const zone = (id: string, fields: Partial<ZoneSummary> = {}): ZoneSummary =>
  ({ zone: id, worst: null, alarms: { critical: 0, high: 0, medium: 0, low: 0 }, channels: [], silent_channels: 0, newest_ms: 10, ...fields }) as ZoneSummary;
const drift = { severity: null } as ZoneSummary['worst'];

describe('what is wrong now', () => {
  it('stands the worst first: by severity, then what drifts, then what is silent', () => {
    const zones = [
      zone('well'),
      zone('silent', { silent_channels: 2 }),
      zone('drifts', { worst: drift }),
      zone('high', { alarms: { critical: 0, high: 1, medium: 0, low: 0 } }),
      zone('critical', { worst: drift, alarms: { critical: 1, high: 0, medium: 0, low: 0 } }),
      zone('never', { newest_ms: null }),
    ];
    expect(wrongNow(zones).map(({ zone: { zone: id }, severity }) => [id, severity])).toEqual([
      ['critical', 'critical'], ['high', 'high'], ['drifts', null], ['silent', null], ['never', null],
    ]);
    expect(isWrong(zone('well'))).toBe(false);
  });

  it('is as old as the oldest reading that is shown', () => {
    const channels = (...times: number[]): ZoneSummary['channels'] => times.map((time_ms) => ({ channel: { latest: { time_ms } } })) as ZoneSummary['channels'];
    expect(oldestReading([zone('a', { channels: channels(7, 9) }), zone('b', { newest_ms: 8 })])).toBe(7);
    expect(oldestReading([zone('a'), zone('b', { newest_ms: null })])).toBeNull();
    expect(oldestReading([])).toBeNull();
  });
});

describe('the night', () => {
  const night = (alarms: Alarm[]): Night => ({ from_ms: 0, alarms, raised: alarms.length, told: 0, notes: [] });

  it('tells what is still on first, then the worst, then the newest', () => {
    const rows = nightRows(
      night([
        alarm('old', { raised_ms: 1 }),
        alarm('new', { raised_ms: 2 }),
        alarm('worst', { severity: 'critical', raised_ms: 0 }),
        alarm('on', { state: 'acknowledged', severity: 'low', returned_ms: null, started_ms: 2 * HOUR }),
      ]),
      5 * HOUR,
    );
    expect(rows.map(({ alarm: { id }, length_ms, lasting }) => [id, length_ms, lasting])).toEqual([
      ['on', 3 * HOUR, true], ['worst', HOUR, false], ['new', HOUR, false], ['old', HOUR, false],
    ]);
  });

  it('says which alarms could wake nobody', () => {
    const shelved = { until_ms: 10, one_shot: false, by: 'x', reason: 'y' };
    const rows = nightRows(night([alarm('a'), alarm('b', { wakes: false }), alarm('c', { history: true }), alarm('d', { shelved })]), 5);
    expect(rows.map(({ quiet }) => quiet)).toEqual([false, true, true, true]);
  });

  it('follows its alarms and takes in no others', () => {
    const before = night([alarm('a', { state: 'unacknowledged' })]);
    expect(withNightAlarm(before, alarm('a', { state: 'acknowledged' })).alarms[0]?.state).toBe('acknowledged');
    expect(withNightAlarm(before, alarm('b'))).toBe(before);
  });
});

describe('a shelved alarm', () => {
  const shelved = { until_ms: 100, one_shot: false, by: 'li.na', reason: 'cleaning' };
  const waiting = alarm('a', { state: 'unacknowledged', shelved });

  it('asks nobody until its time is over', () => {
    expect(asks(waiting, 99)).toBe(false);
    expect(asks(waiting, 100)).toBe(true);
    expect(isShelved(alarm('b'), 0)).toBe(false);
    expect(parted([waiting, alarm('b')], 50).shelved).toEqual([waiting]);
  });

  it('comes back in the morning of the site, today or tomorrow', () => {
    const at = (text: string): number => Date.parse(text);
    expect(nextMorning(at('2026-11-23T03:10:00+08:00'), 'Asia/Shanghai')).toBe(at('2026-11-23T06:30:00+08:00'));
    expect(nextMorning(at('2026-11-23T22:00:00+08:00'), 'Asia/Shanghai')).toBe(at('2026-11-24T06:30:00+08:00'));
    expect(nextMorning(at('2026-11-23T06:30:00+08:00'), 'Asia/Shanghai')).toBe(at('2026-11-24T06:30:00+08:00'));
    expect(nextMorning(at('2026-11-23T22:00:00Z'), 'Europe/London')).toBe(at('2026-11-24T06:30:00Z'));
  });

  it('is never shelved for more than a day, nor into the past', () => {
    const now = Date.parse('2026-11-23T12:00:00+08:00');
    expect(shelvedUntil('15m', now, 'Asia/Shanghai', '')).toBe(now + HOUR / 4);
    expect(shelvedUntil('custom', now, 'Asia/Shanghai', '2026-11-23T13:00')).toBe(now + HOUR);
    expect(shelvedUntil('custom', now, 'Asia/Shanghai', '2026-11-23T11:59')).toBeNull();
    expect(shelvedUntil('custom', now, 'Asia/Shanghai', '2026-11-24T12:01')).toBeNull();
    expect(shelvedUntil('custom', now, 'Asia/Shanghai', '')).toBeNull();
    // The night that summer time ends is 25 h long; the morning stays within the day that is allowed.
    const autumn = Date.parse('2026-10-24T06:00:00Z');
    expect(nextMorning(autumn, 'Europe/Berlin')).toBeLessThanOrEqual(autumn + 24 * HOUR);
  });
});
