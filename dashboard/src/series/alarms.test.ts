import { describe, expect, it } from 'vitest';

import type { Alarm, Channel, Node, Overview } from '../api/types';
import { byHouse, byNeed, byUrgency, nodeHealth, passes, withAlarm, withChannels } from './alarms';
import { lanes } from './day';

function alarm(id: string, fields: Partial<Alarm> = {}): Alarm {
  return {
    id, kind: 'limit', state: 'unacknowledged', severity: 'high', site: 's', zone: 'a', zone_name: null, node: 'n',
    channel: 1, position: 'canopy', quantity: 'air_temperature', unit: 'Cel', side: 'high', limit: 30, value: 31, peak: 31,
    current: 31, started: '', started_ms: 0, raised_ms: 0, returned_ms: null, acknowledged_by: null, acknowledged_ms: null,
    comment: null, wakes: true, history: false, class: null, input: 'good', shelved: null, ...fields,
  };
}

const ids = (list: readonly Alarm[]): string[] => list.map(({ id }) => id);

describe('alarms', () => {
  it('that wait come first, then by severity, then the newest', () => {
    const list = [
      alarm('answered', { state: 'acknowledged', severity: 'critical' }),
      alarm('old', { raised_ms: 1 }),
      alarm('closed', { state: 'normal', severity: 'critical' }),
      alarm('new', { raised_ms: 2 }),
      alarm('worst', { severity: 'critical' }),
      alarm('returned', { state: 'returned_unacknowledged', severity: 'critical', raised_ms: 9 }),
    ];
    expect(ids(list.sort(byUrgency))).toEqual(['worst', 'new', 'old', 'returned', 'answered', 'closed']);
  });

  it('are grouped by house, the house with the newest waiting one first', () => {
    const groups = byHouse([
      alarm('a1', { raised_ms: 1 }),
      alarm('b1', { zone: 'b', raised_ms: 5 }),
      alarm('a2', { raised_ms: 9, state: 'acknowledged' }),
    ]);
    expect(groups.map(({ key, alarms }) => [key, ids(alarms)])).toEqual([
      ['s/b', ['b1']],
      ['s/a', ['a1', 'a2']],
    ]);
  });

  it('are filtered as the inbox says', () => {
    const returned = alarm('x', { state: 'returned_unacknowledged' });
    expect(passes(returned, 'open')).toBe(true);
    expect(passes(returned, 'unacknowledged')).toBe(true);
    expect(passes(returned, 'closed')).toBe(false);
    expect(passes(alarm('y', { state: 'normal' }), 'closed')).toBe(true);
  });

  it('replace their older selves', () => {
    const list = withAlarm([alarm('x'), alarm('y')], alarm('x', { state: 'acknowledged' }));
    expect(list.map(({ id, state }) => `${id} ${state}`)).toEqual(['x acknowledged', 'y unacknowledged']);
    expect(ids(withAlarm(list, alarm('z')))).toEqual(['z', 'x', 'y']);
  });

  it('of the last day lie on the lane of their house', () => {
    const day = lanes(
      [alarm('a', { started_ms: 50, returned_ms: 75 }), alarm('b', { zone: 'b', started_ms: -10 }), alarm('c', { started_ms: -9, returned_ms: -1 })],
      ['s/a', 's/b', 's/c'],
      { from_ms: 0, to_ms: 100 },
    );
    expect(day.map(({ bars }) => bars.map(({ alarm: { id }, start, length }) => [id, start, length]))).toEqual([
      [['a', 0.5, 0.25]],
      [['b', 0, 1]],
      [],
    ]);
  });
});

describe('live samples', () => {
  const channel = (time_ms: number, value: number): Channel => ({
    id: 7, site: 's', zone: 'a', node: 'n', position: 'p', quantity: 'co2', unit: '[ppm]', decimals: 0, input: 'good', derived_from: [],
    latest: { time: '', time_ms, value, fault: null, quality: 'good' },
  });
  const overview = {
    now_ms: 0, unacknowledged: 0,
    zones: [{ site: 's', zone: 'a', newest_ms: 10, channels: [{ channel: channel(10, 400), band: null, sparkline: [] }] }],
  } as unknown as Overview;

  it('move a tile on', () => {
    const zone = withChannels(overview, [channel(20, 500)]).zones[0];
    expect(zone?.newest_ms).toBe(20);
    expect(zone?.channels[0]?.channel.latest?.value).toBe(500);
  });

  it('that are older than what is shown change nothing', () => {
    const zone = withChannels(overview, [channel(5, 500)]).zones[0];
    expect(zone?.newest_ms).toBe(10);
    expect(zone?.channels[0]?.channel.latest?.value).toBe(400);
  });
});

describe('a node', () => {
  const node = (fields: Partial<Node>): Node => ({
    site: 's', node: 'n', zone: 'a', online: true, firmware: null, birth_ms: 1, newest_ms: 0, interval_ms: 60_000, waiting: 0,
    next_due_ms: null, release: null, settings: null, ...fields,
  });

  it('is quiet after three intervals without a reading, judged on the gateway clock', () => {
    expect(nodeHealth(node({}), 180_000)).toBe('online');
    expect(nodeHealth(node({}), 180_001)).toBe('quiet');
    expect(nodeHealth(node({ interval_ms: 5_000 }), 119_000)).toBe('online');
    expect(nodeHealth(node({ online: false }), 0)).toBe('offline');
    expect(nodeHealth(node({ online: null, newest_ms: null }), 0)).toBe('never');
  });

  it('that sleeps is quiet only after the time that it has named', () => {
    expect(nodeHealth(node({ next_due_ms: 3_600_000 }), 3_780_000)).toBe('online');
    expect(nodeHealth(node({ next_due_ms: 3_600_000 }), 3_780_001)).toBe('quiet');
  });

  it('that is a guest, without a birth, is judged by its readings', () => {
    expect(nodeHealth(node({ online: null, birth_ms: null }), 1_000)).toBe('online');
    expect(nodeHealth(node({ online: null, birth_ms: null }), 900_000)).toBe('quiet');
  });

  it('that needs a hand comes first', () => {
    const list = [node({ node: 'a' }), node({ node: 'b', online: false }), node({ node: 'c', newest_ms: -1e9 })];
    expect(list.sort(byNeed(0)).map(({ node: name }) => name)).toEqual(['b', 'c', 'a']);
  });
});
