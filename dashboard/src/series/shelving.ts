// Shelved alarms: whether one is, and until when one could be. Not here: words and dialogs.
import type { Alarm } from '../api/types';
import { waits } from './alarms';
import { fromLocalInput, localDay } from './zone';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** An alarm can be shelved for so long at most; a later end is refused. */
export const SHELVE_MAX_MS = DAY_MS;

/** When the morning shift begins, on the site's clock. */
export const MORNING = '06:30';

/** Whether the alarm is shelved at `now_ms`; one whose time has passed is back, whatever was heard of it. */
export function isShelved(alarm: Alarm, now_ms: number): boolean {
  return alarm.shelved !== null && alarm.shelved.until_ms > now_ms;
}

/** Whether somebody should look at the alarm now: it waits and is not shelved. */
export function asks(alarm: Alarm, now_ms: number): boolean {
  return waits(alarm) && !isShelved(alarm, now_ms);
}

/** Returns the next time that the morning shift begins at the site, never more than a day ahead. */
export function nextMorning(now_ms: number, zone: string): number {
  for (const ahead of [0, 1]) {
    const date = new Date((localDay(now_ms, zone) + ahead) * DAY_MS).toISOString().slice(0, 10);
    const morning = fromLocalInput(`${date}T${MORNING}`, zone);
    if (morning !== null && morning > now_ms) return Math.min(morning, now_ms + SHELVE_MAX_MS);
  }
  return now_ms + SHELVE_MAX_MS;
}

export const SHELVE_SPANS = ['15m', '1h', 'morning', 'custom'] as const;
export type ShelveSpan = (typeof SHELVE_SPANS)[number];

/** Returns when a shelving of that span ends, or null where a custom end is no time to come within a day. */
export function shelvedUntil(span: ShelveSpan, now_ms: number, zone: string, custom: string): number | null {
  if (span === '15m') return now_ms + 15 * MINUTE_MS;
  if (span === '1h') return now_ms + 60 * MINUTE_MS;
  if (span === 'morning') return nextMorning(now_ms, zone);
  const end = fromLocalInput(custom, zone);
  return end !== null && end > now_ms && end <= now_ms + SHELVE_MAX_MS ? end : null;
}

/** Splits a list into the alarms that are up and those that are shelved. */
export function parted(list: readonly Alarm[], now_ms: number): { up: Alarm[]; shelved: Alarm[] } {
  const shelved = list.filter((alarm) => isShelved(alarm, now_ms));
  return { up: list.filter((alarm) => !isShelved(alarm, now_ms)), shelved };
}
