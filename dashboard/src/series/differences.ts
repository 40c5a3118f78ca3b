// What was different between batches, from their exposures: the biggest difference first, and how
// much of it can be believed. Not here: computing exposures; words.
import type { BatchExposure, Exposure, Name } from '../api/types';

export const MEASURES = ['mean', 'below', 'above', 'thermal_time', 'light_integral', 'vpd_hours', 'other'] as const;
export type Measure = (typeof MEASURES)[number];

/** A measure of one batch: what it came to, and a day; a mean has no rate. */
export type Measured = { value: number; a_day: number | null };

/** One measure of all batches. */
export type Difference = {
  quantity: string;
  measure: Measure;
  unit: string;
  decimals: number;
  /** One for each batch, in their order; null where it was not measured. */
  cells: (Measured | null)[];
  /** Between the least and the greatest: of the values for a mean, else of what they come to a day. */
  apart: number;
  /** How many steps that one would notice in a house lie between them; what the order goes by. */
  steps: number;
  basis: Name | null;
};

/** The least difference of a mean that one would notice, in the quantity's unit; our own proposal (class G). */
const STEP: Record<string, number> = {
  air_temperature: 1,
  substrate_temperature: 1,
  water_temperature: 1,
  surface_temperature: 1,
  dew_point: 1,
  leaf_wetness: 5,
  relative_humidity: 5,
  substrate_moisture: 5,
  vapour_pressure_deficit: 0.1,
  co2: 50,
  substrate_ec: 0.2,
  substrate_ph: 0.3,
};
/** For what the table lacks, and for integrals: this share of the greater. */
const STEP_SHARE = 0.1;
/** For hours outside the band: this many a day. */
const STEP_HOURS = 1.2;
/** Less than this share of a span with readings is thin. */
export const COVERAGE_THIN = 0.8;

/** Returns the exposures of one stage, or of all stages together where `stage` is null. */
function rowsOf(exposure: BatchExposure, stage: string | null): Exposure[] {
  return exposure.rows.filter((row) => row.stage === stage);
}

/** Returns the days that readings cover. */
function coveredDays(row: Exposure): number {
  return (row.hours * row.coverage) / 24;
}

function measuresOf(row: Exposure): { measure: Measure; unit: string; decimals: number; cell: Measured; basis: Name | null }[] {
  const days = coveredDays(row);
  const rate = (value: number): number | null => (days > 0 ? value / days : null);
  const out: ReturnType<typeof measuresOf> = [];
  if (row.mean !== null) out.push({ measure: 'mean', unit: row.unit, decimals: row.decimals, cell: { value: row.mean, a_day: null }, basis: null });
  for (const [measure, hours] of [['below', row.hours_below], ['above', row.hours_above]] as const) {
    if (hours !== null) out.push({ measure, unit: 'h', decimals: 1, cell: { value: hours, a_day: rate(hours) }, basis: null });
  }
  if (row.integral) {
    const { kind, value, unit, a_day, basis } = row.integral;
    const measure = MEASURES.find((one) => one === kind) ?? 'other';
    out.push({ measure, unit, decimals: 1, cell: { value, a_day: a_day ?? rate(value) }, basis });
  }
  return out;
}

/** Returns what at least two of the batches can be compared by, the biggest difference first. */
export function differences(list: readonly BatchExposure[], stage: string | null): Difference[] {
  const found = new Map<string, Difference>();
  for (const [index, exposure] of list.entries()) {
    for (const row of rowsOf(exposure, stage)) {
      for (const { measure, unit, decimals, cell, basis } of measuresOf(row)) {
        const key = `${row.quantity} ${measure}`;
        const known = found.get(key) ?? {
          quantity: row.quantity, measure, unit, decimals, cells: list.map(() => null), apart: 0, steps: 0, basis,
        };
        known.cells[index] = cell;
        found.set(key, known);
      }
    }
  }
  return [...found.values()]
    .filter(({ cells }) => cells.filter((cell) => cell !== null).length > 1)
    .filter(({ measure, cells }) => measure === 'mean' || cells.some((cell) => cell !== null && cell.value !== 0))
    .map(weighed)
    .sort((a, b) => b.steps - a.steps || a.quantity.localeCompare(b.quantity) || MEASURES.indexOf(a.measure) - MEASURES.indexOf(b.measure));
}

function weighed(row: Difference): Difference {
  const values = row.cells.flatMap((cell) => (cell === null ? [] : [row.measure === 'mean' ? cell.value : (cell.a_day ?? 0)]));
  const apart = Math.max(...values) - Math.min(...values);
  const greatest = Math.max(...values.map(Math.abs));
  const share = greatest * STEP_SHARE;
  const hours = row.measure === 'below' || row.measure === 'above';
  const step = hours ? STEP_HOURS : row.measure === 'mean' ? (STEP[row.quantity] ?? share) : share;
  return { ...row, apart, steps: step > 0 ? apart / step : 0 };
}

/** How much of a batch's time is behind the numbers. */
export type Honesty = { days: number; low: number; high: number };

/** Returns days and the range of coverage over the batch's quantities, or null where nothing was measured. */
export function honesty(exposure: BatchExposure, stage: string | null): Honesty | null {
  const rows = rowsOf(exposure, stage);
  if (rows.length === 0) return null;
  const shares = rows.map(({ coverage }) => coverage);
  return { days: Math.max(...rows.map(({ hours }) => hours)) / 24, low: Math.min(...shares), high: Math.max(...shares) };
}

/** Returns the stages that at least two of the batches went through, in the order of the first that did. */
export function commonStages(list: readonly BatchExposure[]): { stage: string; name: Name }[] {
  const seen = new Map<string, { name: Name; batches: Set<number> }>();
  for (const [index, { rows }] of list.entries()) {
    for (const { stage, stage_name } of rows) {
      if (stage === null) continue;
      const known = seen.get(stage) ?? { name: stage_name ?? { zh: stage, en: stage }, batches: new Set() };
      known.batches.add(index);
      seen.set(stage, known);
    }
  }
  return [...seen].filter(([, { batches }]) => batches.size > 1).map(([stage, { name }]) => ({ stage, name }));
}

/** Returns the quantities that any of the batches was measured by. */
export function quantitiesOf(list: readonly BatchExposure[]): string[] {
  return [...new Set(list.flatMap(({ rows }) => rows.map(({ quantity }) => quantity)))];
}
