// What stands along the bottom of a chart: times of the site, or days since a batch began.
// Not here: where the ticks are.
import { clockTime, day, duration, moment } from '../i18n/format';
import { t } from '../i18n/language.svelte';
import { siteZone } from '../i18n/zone.svelte';
import { DAY_MS, dayOf } from '../series/compare';
import type { TimeTick } from '../series/scales';
import { offsetAt } from '../series/zone';

export type Axis = {
  /** How far its own clock is ahead of UTC, so that ticks stand on its round times. */
  offset: (time_ms: number) => number;
  tick: (tick: TimeTick) => string;
  /** At the cursor, on an axis that is long or short. */
  cursor: (time_ms: number, long: boolean) => string;
  /** In a sentence or a table. */
  moment: (time_ms: number, now_ms: number) => string;
};

/** Times of the site. */
export const CALENDAR: Axis = {
  offset: (time_ms) => offsetAt(time_ms, siteZone()),
  tick: ({ time_ms, midnight }) => (midnight ? day(time_ms) : clockTime(time_ms)),
  cursor: (time_ms, long) => (long ? moment(time_ms, 0) : clockTime(time_ms)),
  moment,
};

/** Days since a batch began. */
export const AGED: Axis = {
  offset: () => 0,
  tick: ({ time_ms, midnight }) => (midnight ? t('compare.day', { n: dayOf(time_ms) }) : duration(time_ms % DAY_MS)),
  cursor: (time_ms) => aged(time_ms),
  moment: (time_ms) => aged(time_ms),
};

function aged(time_ms: number): string {
  return t('compare.dayhour', { n: dayOf(time_ms), hour: Math.floor((time_ms % DAY_MS) / 3_600_000) });
}
