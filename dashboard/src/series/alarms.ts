// Lists of alarms: order, groups, and what an event changes. Not here: judging a value.
import type { Alarm, AlarmCounts, Channel, Node, Overview, Severity } from '../api/types';
import { SEVERITIES } from './bands';

const RANK: Record<Severity, number> = { critical: 0, high: 1, medium: 2, low: 3 };

/** Whether somebody still has to look at the alarm. */
export function waits(alarm: Alarm): boolean {
  return alarm.state === 'unacknowledged' || alarm.state === 'returned_unacknowledged';
}

/** Whether the alarm is not over. */
export function isOpen(alarm: Alarm): boolean {
  return alarm.state !== 'normal';
}

/** Whether the condition still holds. */
export function isActive(alarm: Alarm): boolean {
  return alarm.state === 'unacknowledged' || alarm.state === 'acknowledged';
}

/** Most urgent first: unacknowledged and active, by severity, the newest first. */
export function byUrgency(a: Alarm, b: Alarm): number {
  return (
    Number(waits(b)) - Number(waits(a)) ||
    Number(isOpen(b)) - Number(isOpen(a)) ||
    Number(isActive(b)) - Number(isActive(a)) ||
    RANK[a.severity] - RANK[b.severity] ||
    b.raised_ms - a.raised_ms
  );
}

/** Newest first, those that wait before those that do not. */
export function byNewest(a: Alarm, b: Alarm): number {
  return (
    Number(waits(b)) - Number(waits(a)) ||
    Number(isOpen(b)) - Number(isOpen(a)) ||
    b.raised_ms - a.raised_ms
  );
}

export const FILTERS = ['open', 'unacknowledged', 'closed', 'all'] as const;
export type Filter = (typeof FILTERS)[number];

/** Whether a filter of the inbox shows the alarm. */
export function passes(alarm: Alarm, filter: Filter): boolean {
  if (filter === 'open') return isOpen(alarm);
  if (filter === 'unacknowledged') return waits(alarm);
  return filter === 'all' || !isOpen(alarm);
}

/** Returns the list with `alarm` put in the place of its older self, or added at the front. */
export function withAlarm(list: readonly Alarm[], alarm: Alarm): Alarm[] {
  const known = list.some((one) => one.id === alarm.id);
  return known ? list.map((one) => (one.id === alarm.id ? alarm : one)) : [alarm, ...list];
}

/** Alarms of one place. */
export type Group = { key: string; alarms: Alarm[] };

/** Groups alarms by house, the house with the newest waiting alarm first. */
export function byHouse(list: readonly Alarm[]): Group[] {
  const groups = new Map<string, Group>();
  for (const alarm of [...list].sort(byNewest)) {
    const key = alarm.zone === null ? `${alarm.site}/` : `${alarm.site}/${alarm.zone}`;
    const group = groups.get(key);
    if (group) group.alarms.push(alarm);
    else groups.set(key, { key, alarms: [alarm] });
  }
  return [...groups.values()];
}

/** Returns how many open alarms there are. */
export function total(counts: AlarmCounts): number {
  return SEVERITIES.reduce((sum, severity) => sum + counts[severity], 0);
}

/** Returns the worst severity with an open alarm. */
export function worstOf(counts: AlarmCounts): Severity | null {
  return SEVERITIES.find((severity) => counts[severity] > 0) ?? null;
}

/** Returns the overview with newer samples in it; an older sample than the one shown changes nothing. */
export function withChannels(overview: Overview, channels: readonly Channel[]): Overview {
  const fresh = new Map(channels.map((channel) => [channel.id, channel]));
  const newest = new Map<string, number>();
  for (const { site, zone, latest } of channels) {
    if (zone === null || latest === null) continue;
    const key = `${site}/${zone}`;
    newest.set(key, Math.max(newest.get(key) ?? -Infinity, latest.time_ms));
  }
  return {
    ...overview,
    zones: overview.zones.map((zone) => {
      const time = newest.get(`${zone.site}/${zone.zone}`);
      if (time === undefined) return zone;
      return {
        ...zone,
        newest_ms: Math.max(zone.newest_ms ?? -Infinity, time),
        channels: zone.channels.map((glance) => {
          const channel = fresh.get(glance.channel.id);
          return channel && isNewer(channel, glance.channel) ? { ...glance, channel } : glance;
        }),
      };
    }),
  };
}

/** Whether `a` has a later sample than `b`, or the same sample in another state. */
export function isNewer(a: Channel, b: Channel): boolean {
  return (a.latest?.time_ms ?? -Infinity) >= (b.latest?.time_ms ?? -Infinity);
}

/** Returns the nodes with newer samples counted in. */
export function withSamples(nodes: readonly Node[], channels: readonly Channel[]): Node[] {
  const newest = new Map<string, number>();
  for (const { site, node, latest } of channels) {
    if (latest === null) continue;
    const key = `${site}/${node}`;
    newest.set(key, Math.max(newest.get(key) ?? -Infinity, latest.time_ms));
  }
  return nodes.map((node) => {
    const time = newest.get(`${node.site}/${node.node}`);
    return time === undefined || time <= (node.newest_ms ?? -Infinity) ? node : { ...node, newest_ms: time };
  });
}

/** What a node's silence means. */
export type NodeHealth = 'online' | 'quiet' | 'offline' | 'never';

/** Intervals without a reading after which a connected node counts as quiet; at least two minutes. */
const QUIET_INTERVALS = 3;
const QUIET_MIN_MS = 120_000;

/** Returns how a node is, on the gateway's clock. */
export function nodeHealth(node: Node, now_ms: number): NodeHealth {
  if (node.online === null && node.newest_ms === null) return 'never';
  if (node.online === false) return 'offline';
  const patience = Math.max(QUIET_MIN_MS, QUIET_INTERVALS * (node.interval_ms ?? 0));
  if (node.newest_ms === null) return 'online';
  // A sleeping node has said when it will be heard next: until then its silence means nothing.
  const expected_ms = Math.max(node.newest_ms, node.next_due_ms ?? node.newest_ms);
  return now_ms - expected_ms > patience ? 'quiet' : 'online';
}

const HEALTH_RANK: Record<NodeHealth, number> = { offline: 0, quiet: 1, never: 2, online: 3 };

/** Nodes that need a hand first, then by zone and name. */
export function byNeed(now_ms: number): (a: Node, b: Node) => number {
  return (a, b) =>
    HEALTH_RANK[nodeHealth(a, now_ms)] - HEALTH_RANK[nodeHealth(b, now_ms)] ||
    `${a.site}/${a.zone ?? ''}/${a.node}`.localeCompare(`${b.site}/${b.zone ?? ''}/${b.node}`);
}
