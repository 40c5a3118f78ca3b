// How long batches have been where they are, ids for new ones, and exposures in the order people read
// them. Not here: words and formats.
import type { Batch, BatchStage, Crop, CropStage, Exposure } from '../api/types';

const DAY_MS = 86_400_000;

/** Exposures that cover less of their time than this are marked. */
export const COVERAGE_LOW = 0.9;

/** Returns which day it is since `from_ms`; the first one is day 1. */
export function dayNumber(from_ms: number, now_ms: number): number {
  return Math.max(0, Math.floor((now_ms - from_ms) / DAY_MS)) + 1;
}

/** Returns `site/batch`, which names a batch in addresses and studies. */
export function batchKey(batch: { site: string; batch: string }): string {
  return `${batch.site}/${batch.batch}`;
}

/** Returns the stage of a batch as its crop's profile has it. */
export function stageOf(crops: readonly Crop[], batch: Pick<Batch, 'crop' | 'method' | 'stage'>): CropStage | null {
  const method = crops.find(({ crop }) => crop === batch.crop)?.methods.find(({ method: id }) => id === batch.method);
  return method?.stages.find(({ stage }) => stage === batch.stage) ?? null;
}

export type Pace = 'unknown' | 'within' | 'due' | 'over';

/** Returns how a stage stands against how long it takes: ready for the next from the least on, late after the most. */
export function pace(day: number, days_min: number | null, days_max: number | null): Pace {
  if (days_min === null && days_max === null) return 'unknown';
  if (days_max !== null && day > days_max) return 'over';
  return days_min !== null && day >= days_min ? 'due' : 'within';
}

/** Returns how far a stage is, 0 to 1: passed ones are full, ones to come empty, an unknown length half. */
export function share(stage: BatchStage, now_ms: number): number {
  if (stage.from_ms === null) return 0;
  if (stage.to_ms !== null) return 1;
  const length = stage.days_max ?? stage.days_min;
  return length === null || length <= 0 ? 0.5 : Math.min(1, Math.max(0, now_ms - stage.from_ms) / (length * DAY_MS));
}

/** Returns the stage after the one that a batch is at, or null at its last. */
export function nextStage(stages: readonly BatchStage[], current: string): BatchStage | null {
  const at = stages.findIndex(({ stage }) => stage === current);
  return at < 0 ? null : (stages[at + 1] ?? null);
}

/** The order in which people read quantities. */
const ORDER = [
  'air_temperature',
  'relative_humidity',
  'vapour_pressure_deficit',
  'dew_point',
  'absolute_humidity',
  'ppfd',
  'illuminance',
  'co2',
  'substrate_temperature',
  'substrate_moisture',
  'substrate_ec',
  'substrate_ph',
  'water_temperature',
  'surface_temperature',
  'leaf_wetness',
  'solar_irradiance',
  'rainfall',
  'wind_speed',
  'wind_direction',
  'air_pressure',
  'mains_present',
  'door_open',
  'mist_flow',
];

/** Returns the exposures of one stage, or of all stages together for null, in the order people read them. */
export function exposuresOf(rows: readonly Exposure[], stage: string | null): Exposure[] {
  const rank = (quantity: string): number => {
    const at = ORDER.indexOf(quantity);
    return at < 0 ? ORDER.length : at;
  };
  return rows.filter((row) => row.stage === stage).sort((a, b) => rank(a.quantity) - rank(b.quantity) || a.quantity.localeCompare(b.quantity));
}

/** Hours outside what the stage wants; null where it names no edge. */
export function hoursOutside(row: Exposure): number | null {
  return row.hours_below === null && row.hours_above === null ? null : (row.hours_below ?? 0) + (row.hours_above ?? 0);
}

/** The longest id that the gateway takes. */
export const SLUG_MAX = 32;

/** Returns what of a text can stand in an id: `[a-z0-9-]`. */
export function slugOf(text: string): string {
  const plain = text.normalize('NFKD').toLowerCase().replaceAll(/[^a-z0-9]+/gu, '-');
  return plain.replaceAll(/^-+|-+$/gu, '').slice(0, SLUG_MAX).replace(/-+$/u, '');
}

/** Whether the gateway would take the id. */
export function isSlug(text: string): boolean {
  return /^[a-z0-9-]{1,32}$/u.test(text) && !/^-|-$/u.test(text);
}

/** Returns `base`, or `base-2` and so on where it is taken. */
export function freeSlug(base: string, taken: readonly string[]): string {
  if (!taken.includes(base)) return base;
  for (let n = 2; ; n += 1) {
    const tail = `-${n}`;
    const wanted = `${base.slice(0, SLUG_MAX - tail.length)}${tail}`;
    if (!taken.includes(wanted)) return wanted;
  }
}
