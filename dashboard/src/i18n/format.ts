// Numbers, units, times and sentences about them, in the page's language and the site's zone.
// Not here: the words themselves.
import type { Alarm, Band, Deviation, Latest } from '../api/types';
import { age, durationParts, type DurationUnit } from '../series/clock';
import { known, locale, t } from './language.svelte';
import { siteZone } from './zone.svelte';

const UNITS: Record<string, string> = {
  Cel: '°C',
  '%': '%',
  '[ppm]': 'ppm',
  lx: 'lx',
  'mS/cm': 'mS/cm',
  'g/m3': 'g/m³',
  '[pH]': '',
  'umol/m2/s': 'µmol/m²/s',
  kPa: 'kPa',
  'mol/m2/d': 'mol/m²/d',
  V: 'V',
  'W/m2': 'W/m²',
  mm: 'mm',
  'm/s': 'm/s',
  deg: '°',
  hPa: 'hPa',
  '1': '',
  'mol/m2': 'mol/m²',
  'Cel.d': '°C·d',
  'Cel.d/d': '°C·d/d',
  'kPa.h': 'kPa·h',
  'kPa.h/d': 'kPa·h/d',
};

/** Returns how people write a UCUM unit; a unit that isn't known is shown as it is. */
export function unitText(ucum: string): string {
  return UNITS[ucum] ?? ucum;
}

const DECIMALS: Record<string, number> = {
  air_temperature: 1,
  relative_humidity: 0,
  co2: 0,
  illuminance: 0,
  substrate_temperature: 1,
  substrate_moisture: 1,
  substrate_ec: 2,
  substrate_ph: 1,
  ppfd: 0,
  vapour_pressure_deficit: 2,
  daily_light_integral: 1,
  water_temperature: 1,
  supply_voltage: 2,
  leaf_wetness: 0,
  solar_irradiance: 0,
  rainfall: 1,
  wind_speed: 1,
  wind_direction: 0,
  air_pressure: 1,
  surface_temperature: 1,
  mains_present: 0,
  door_open: 0,
  mist_flow: 0,
  dew_point: 1,
  absolute_humidity: 1,
};

/** Returns how many decimals a quantity is shown with where no channel says. */
export function decimalsOf(quantity: string | null): number {
  return DECIMALS[quantity ?? ''] ?? 1;
}

const numbers = new Map<string, Intl.NumberFormat>();

export function number(value: number, decimals: number): string {
  const key = `${locale()}/${decimals}`;
  let format = numbers.get(key);
  if (!format) {
    format = new Intl.NumberFormat(locale(), { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    numbers.set(key, format);
  }
  const text = format.format(value);
  return text.replace('-', '−').replace(/^−(?=[0.,]*$)/u, '');
}

/** Returns a number with its unit: 23.4 °C. */
export function measured(value: number, decimals: number, ucum: string): string {
  const unit = unitText(ucum);
  return unit === '' ? number(value, decimals) : `${number(value, decimals)}\u00a0${unit}`;
}

/** Returns a value without its unit; of a contact the word for it, such as open, in place of 1 and 0. */
export function valueText(quantity: string | null, value: number, decimals: number): string {
  const key = `contact.${quantity ?? ''}.${value}`;
  return known(key) ? t(key) : number(value, decimals);
}

/** Returns the name of a quantity; one that the catalogue lacks is shown as the gateway calls it. */
export function quantityName(quantity: string | null): string {
  if (quantity === null) return '';
  const key = `quantity.${quantity}`;
  return known(key) ? t(key) : quantity.replaceAll('_', ' ');
}

/** Returns the name of a quantity where there is little room. */
export function shortName(quantity: string): string {
  const key = `short.${quantity}`;
  return known(key) ? t(key) : quantityName(quantity);
}

/** Returns a place on a bench as people call it: `bench-a` is bench A; an unknown one is shown as it is. */
export function positionName(position: string): string {
  const [first = '', ...rest] = position.split('-');
  const key = `position.${first}`;
  if (!known(key)) return position;
  const suffix = rest.join('-');
  return suffix === '' ? t(key) : `${t(key)} ${suffix.length === 1 ? suffix.toUpperCase() : suffix}`;
}

export function qualityName(quality: string): string {
  const key = `quality.${quality}`;
  return known(key) ? t(key) : quality;
}

export function faultName(fault: string | null): string {
  const key = `fault.${fault ?? ''}`;
  return known(key) ? t(key) : t('fault.unknown');
}

export function className(source: string | null): string | null {
  const key = `class.${source ?? ''}`;
  return known(key) ? t(key) : null;
}

const times = new Map<string, Intl.DateTimeFormat>();

function timeFormat(name: string, zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale()}/${name}/${zone}`;
  let format = times.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(locale(), { timeZone: zone, hourCycle: 'h23', ...options });
    times.set(key, format);
  }
  return format;
}

// Times are told in the zone of the site that the page is about, or in the one that is named.

/** 06:30 */
export function clockTime(time_ms: number, zone = siteZone()): string {
  return timeFormat('clock', zone, { hour: '2-digit', minute: '2-digit' }).format(time_ms);
}

/** 06:30:05 */
export function clockSeconds(time_ms: number, zone = siteZone()): string {
  return timeFormat('seconds', zone, { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(time_ms);
}

/** 8月14日 or 14 Aug */
export function day(time_ms: number, zone = siteZone()): string {
  return timeFormat('day', zone, { month: 'short', day: 'numeric' }).format(time_ms);
}

/** The date with its weekday: 8月14日周五 or Fri 14 Aug */
export function weekday(time_ms: number, zone = siteZone()): string {
  const format = timeFormat('weekday', zone, { month: 'short', day: 'numeric', weekday: 'short' });
  return format.format(time_ms).replace(',', '');
}

/** The date in full: 2026年8月14日星期五 or Friday 14 August 2026 */
export function fullDate(time_ms: number, zone = siteZone()): string {
  const format = timeFormat('full', zone, { year: 'numeric', month: 'long', day: 'numeric', weekday: 'long' });
  return format.format(time_ms).replace(',', '');
}

/** The date with its year: 2027年4月12日 or 12 Apr 2027 */
export function dayYear(time_ms: number, zone = siteZone()): string {
  return timeFormat('dayYear', zone, { year: 'numeric', month: 'short', day: 'numeric' }).format(time_ms);
}

/** The time, with the day where it is not today. */
export function moment(time_ms: number, now_ms: number, zone = siteZone()): string {
  return day(time_ms, zone) === day(now_ms, zone) && Math.abs(now_ms - time_ms) < 86_400_000
    ? clockTime(time_ms, zone)
    : `${day(time_ms, zone)} ${clockTime(time_ms, zone)}`;
}

/** Day and time in full. */
export function dateTime(time_ms: number, zone = siteZone()): string {
  const full = timeFormat('date', zone, { year: 'numeric', month: 'short', day: 'numeric' }).format(time_ms);
  return `${full} ${clockSeconds(time_ms, zone)}`;
}

function count(n: number, unit: DurationUnit): string {
  return t(`duration.${unit}`, { n });
}

/** 22 min, 2 h 10 min, 3 d 4 h */
export function duration(duration_ms: number): string {
  const parts = durationParts(duration_ms);
  const first = count(parts.count, parts.unit);
  return parts.rest_unit === null ? first : `${first} ${count(parts.rest, parts.rest_unit)}`;
}

/** just now, 12 s ago, 3 min ago; never a time in the future. */
export function ago(now_ms: number, then_ms: number): string {
  const passed = age(now_ms, then_ms);
  return passed < 1_000 ? t('age.now') : t('age.ago', { duration: duration(passed) });
}

/** The target band in words: 18–28, ≥ 85. */
export function bandText(band: Band | null, decimals: number): string | null {
  const low = band?.target_low ?? null;
  const high = band?.target_high ?? null;
  const show = (value: number): string => number(value, Number.isInteger(value) ? 0 : decimals);
  if (low !== null && high !== null) return t('range.between', { low: show(low), high: show(high) });
  if (low !== null) return t('range.above', { low: show(low) });
  return high === null ? null : t('range.below', { high: show(high) });
}

export function deviationText(deviation: Deviation, decimals: number): string {
  return t(`deviation.${deviation.beyond}.${deviation.side}`, {
    quantity: shortName(deviation.quantity),
    by: measured(deviation.by, decimals, deviation.unit),
  });
}

/** What an alarm says, in one sentence. */
export function alarmText(alarm: Alarm): string {
  const quantity = quantityName(alarm.quantity);
  if (alarm.kind === 'stale') return t('alarm.stale', { quantity: quantity || (alarm.node ?? '') });
  if (alarm.kind === 'fault') return t('alarm.fault', { quantity: quantity || (alarm.node ?? '') });
  if (alarm.kind === 'offline') return t('alarm.offline', { node: alarm.node ?? '' });
  const value = alarm.peak ?? alarm.value ?? alarm.current;
  if (alarm.side === null || alarm.limit === null || value === null) return t('alarm.limit.unknown', { quantity });
  const decimals = decimalsOf(alarm.quantity);
  const unit = alarm.unit ?? '';
  return t(`alarm.limit.${alarm.side}`, {
    quantity,
    value: unitText(unit) === '' ? valueText(alarm.quantity, value, decimals) : measured(value, decimals, unit),
    limit: measured(alarm.limit, Number.isInteger(alarm.limit) ? 0 : decimals, unit),
  });
}

/** What an alarm is about, without numbers: for a title. */
export function alarmTitle(alarm: Alarm): string {
  if (alarm.kind !== 'limit' || alarm.side === null) return alarmText(alarm);
  return t(`alarm.short.${alarm.side}`, { quantity: quantityName(alarm.quantity) });
}

/** Value, time and quality of a sample, for the line that one hover shows. */
export function sampleTitle(quantity: string, latest: Latest, decimals: number, ucum: string, zone = siteZone()): string {
  const shown = (value: number): string =>
    unitText(ucum) === '' ? valueText(quantity, value, decimals) : measured(value, decimals, ucum);
  const value = latest.value === null ? faultName(latest.fault) : shown(latest.value);
  return [value, dateTime(latest.time_ms, zone), qualityName(latest.quality)].join(' · ');
}
