// The grower's morning: what is wrong now, what happened in the night, and how old the oldest number
// is. Not here: words.
import type { Alarm, Night, Severity, ZoneSummary } from '../api/types';
import { isActive, total, worstOf } from './alarms';
import { SEVERITIES } from './bands';
import { isShelved } from './shelving';

/** A house that is not as it should be. */
export type Wrong = { zone: ZoneSummary; severity: Severity | null };

/** Whether anything at the house is not as it should be: an open alarm, a value outside, or silence. */
export function isWrong(zone: ZoneSummary): boolean {
  return total(zone.alarms) > 0 || zone.worst !== null || zone.silent_channels > 0 || zone.newest_ms === null;
}

/** Returns the houses where something is wrong, the worst first: by severity, then what drifts, then what is silent. */
export function wrongNow(zones: readonly ZoneSummary[]): Wrong[] {
  const rank = ({ zone, severity }: Wrong): number => {
    if (severity !== null) return SEVERITIES.indexOf(severity);
    return zone.worst !== null ? SEVERITIES.length : SEVERITIES.length + 1;
  };
  return zones
    .filter(isWrong)
    .map((zone) => ({ zone, severity: severityOf(zone) }))
    .sort((a, b) => rank(a) - rank(b));
}

function severityOf(zone: ZoneSummary): Severity | null {
  const counted = worstOf(zone.alarms);
  const deviating = zone.worst?.severity ?? null;
  if (counted === null || deviating === null) return counted ?? deviating;
  return SEVERITIES.indexOf(counted) < SEVERITIES.indexOf(deviating) ? counted : deviating;
}

/** Returns the age that the overview can vouch for: of the oldest among the newest readings of each house; null where a house has none. */
export function oldestReading(zones: readonly ZoneSummary[]): number | null {
  let oldest: number | null = null;
  for (const zone of zones) {
    if (zone.newest_ms === null) return null;
    const times = zone.channels.flatMap(({ channel }) => (channel.latest === null ? [] : [channel.latest.time_ms]));
    const one = times.length > 0 ? Math.min(...times) : zone.newest_ms;
    oldest = oldest === null ? one : Math.min(oldest, one);
  }
  return oldest;
}

/** One alarm of the night as the morning reads it. */
export type NightRow = {
  alarm: Alarm;
  /** From the first sample beyond the limit to the return, or until now. */
  length_ms: number;
  /** Whether it is still on. */
  lasting: boolean;
  /** Whether it could not wake anybody: by its limit's class, because its data came late, or shelved. */
  quiet: boolean;
};

/** Returns the alarms of the night: those still on first, then by severity, then the newest. */
export function nightRows(night: Night, now_ms: number): NightRow[] {
  return night.alarms
    .map((alarm) => ({
      alarm,
      length_ms: Math.max(0, (alarm.returned_ms ?? now_ms) - alarm.started_ms),
      lasting: isActive(alarm),
      quiet: !alarm.wakes || alarm.history || isShelved(alarm, now_ms),
    }))
    .sort(
      (a, b) =>
        Number(b.lasting) - Number(a.lasting) ||
        SEVERITIES.indexOf(a.alarm.severity) - SEVERITIES.indexOf(b.alarm.severity) ||
        b.alarm.raised_ms - a.alarm.raised_ms,
    );
}

/** Returns the night with an alarm as it is now; an alarm of before changes nothing. */
export function withNightAlarm(night: Night, alarm: Alarm): Night {
  const known = night.alarms.some(({ id }) => id === alarm.id);
  return known ? { ...night, alarms: night.alarms.map((one) => (one.id === alarm.id ? alarm : one)) } : night;
}
