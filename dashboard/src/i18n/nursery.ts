// Sentences about batches, stages and exposures. Not here: the words themselves.
import type { Batch, Integral } from '../api/types';
import { pace, type Pace } from '../series/batches';
import { measured, number, positionName } from './format';
import { known, named, t } from './language.svelte';

/** How many days a stage takes: 56–84, ≥ 56; null where not known. */
export function daysText(days_min: number | null, days_max: number | null): string | null {
  const show = (days: number): string => number(days, Number.isInteger(days) ? 0 : 1);
  if (days_min !== null && days_max !== null) {
    return days_min === days_max ? show(days_min) : t('range.between', { low: show(days_min), high: show(days_max) });
  }
  if (days_min !== null) return t('range.above', { low: show(days_min) });
  return days_max === null ? null : t('range.below', { high: show(days_max) });
}

/** Day 12 of 56–84. */
export function stageDay(day: number, days_min: number | null, days_max: number | null): string {
  const range = daysText(days_min, days_max);
  return range === null ? t('batch.day', { day }) : t('batch.day.of', { day, range });
}

/** What the day of a stage means, where it means something. */
export function paceText(day: number, days_min: number | null, days_max: number | null): string | null {
  const words: Record<Pace, string | null> = { unknown: null, within: null, due: t('batch.pace.due'), over: t('batch.pace.over') };
  return words[pace(day, days_min, days_max)];
}

export function placeText(batch: Batch): string {
  if (batch.zone_name === null) return t('batch.nowhere');
  return [named(batch.zone_name), batch.position === null ? null : positionName(batch.position)].filter(Boolean).join(' · ');
}

export function plantsText(plants: number | null): string | null {
  return plants === null ? null : t('batch.plants', { n: number(plants, 0) });
}

/** 412 °C·d, with its mean a day. */
export function integralText(integral: Integral): string {
  return measured(integral.value, integral.value < 100 ? 1 : 0, integral.unit);
}

export function integralName(integral: Integral): string {
  const key = `integral.${integral.kind}`;
  return known(key) ? t(key) : integral.kind.replaceAll('_', ' ');
}
