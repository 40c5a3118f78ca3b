// The last day's episodes laid out in lanes, one for each house. Not here: drawing.
import type { Alarm } from '../api/types';
import { clipped, type Range } from './spans';

/** An episode on a lane; place and length are shares of the span. */
export type Bar = { alarm: Alarm; start: number; length: number };
export type Lane = { key: string; bars: Bar[] };

/** Returns the episodes that touch the span, by house in the given order; houses without any are kept. */
export function lanes(alarms: readonly Alarm[], houses: readonly string[], range: Range): Lane[] {
  const width = range.to_ms - range.from_ms;
  return houses.map((key) => {
    const bars: Bar[] = [];
    for (const alarm of alarms) {
      if (`${alarm.site}/${alarm.zone ?? ''}` !== key) continue;
      const part = clipped({ from_ms: alarm.started_ms, to_ms: alarm.returned_ms ?? range.to_ms }, range);
      if (part) bars.push({ alarm, start: (part.from_ms - range.from_ms) / width, length: (part.to_ms - part.from_ms) / width });
    }
    return { key, bars: bars.sort((a, b) => a.start - b.start) };
  });
}
