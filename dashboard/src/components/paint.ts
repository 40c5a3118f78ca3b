// Painting on a chart's canvas what uPlot doesn't draw itself: night, band, limits, episodes, suspect
// points. Not here: what to paint, or when.
import type uPlot from 'uplot';

import type { Alarm, Severity } from '../api/types';
import type { BandPiece, LimitPiece } from '../series/bands';
import { SUSPECT_FROM, type Line } from '../series/columns';
import { clipped, type Range } from '../series/spans';

/** The colours of a chart, read from the page's tokens. */
export type Colours = {
  band: string;
  bandEdge: string;
  night: string;
  grid: string;
  axis: string;
  surface: string;
  series: string[];
  severity: Record<Severity, string>;
};

export function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element);
  const token = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    band: token('chart-band'),
    bandEdge: token('chart-band-edge'),
    night: token('chart-night'),
    grid: token('chart-grid'),
    axis: token('chart-axis'),
    surface: token('surface'),
    series: [1, 2, 3, 4, 5, 6].map((n) => token(`series-${n}`)),
    severity: {
      critical: token('critical'),
      high: token('high'),
      medium: token('medium'),
      low: token('low'),
    },
  };
}

/** Height of the strip above the plot in which episodes are drawn, in CSS pixels. */
export const RIBBON_HEIGHT = 5;

function inPlot(u: uPlot, paint: (context: CanvasRenderingContext2D, ratio: number) => void): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  paint(ctx, devicePixelRatio);
  ctx.restore();
}

/** Nights narrower than this many CSS pixels would be stripes, not nights. */
const NIGHT_MIN_PX = 14;

/** Night, as a faint shade over the whole height. */
export function paintNights(u: uPlot, nights: readonly Range[], shown: Range, colours: Colours): void {
  inPlot(u, (context, ratio) => {
    context.fillStyle = colours.night;
    const widest = Math.max(0, ...nights.map(({ from_ms, to_ms }) => to_ms - from_ms));
    if ((widest / (shown.to_ms - shown.from_ms)) * u.bbox.width < NIGHT_MIN_PX * ratio) return;
    for (const night of nights) {
      const part = clipped(night, shown);
      if (!part) continue;
      const left = u.valToPos(part.from_ms, 'x', true);
      context.fillRect(left, u.bbox.top, u.valToPos(part.to_ms, 'x', true) - left, u.bbox.height);
    }
  });
}

/** The band that the crop wants, as a soft fill with hairline edges. */
export function paintBand(u: uPlot, pieces: readonly BandPiece[], colours: Colours): void {
  inPlot(u, (context, ratio) => {
    for (const piece of pieces) {
      const left = u.valToPos(piece.from_ms, 'x', true);
      const width = u.valToPos(piece.to_ms, 'x', true) - left;
      const top = piece.high === null ? u.bbox.top : u.valToPos(piece.high, 'y', true);
      const bottom = piece.low === null ? u.bbox.top + u.bbox.height : u.valToPos(piece.low, 'y', true);
      context.fillStyle = colours.band;
      context.fillRect(left, top, width, bottom - top);
      context.fillStyle = colours.bandEdge;
      if (piece.high !== null) context.fillRect(left, Math.round(top), width, ratio);
      if (piece.low !== null) context.fillRect(left, Math.round(bottom) - ratio, width, ratio);
    }
  });
}

/** Alarm limits, thin and dashed in their alarm colour; one that wakes nobody is fainter. */
export function paintLimits(u: uPlot, pieces: readonly LimitPiece[], colours: Colours): void {
  inPlot(u, (context, ratio) => {
    context.lineWidth = 1.25 * ratio;
    context.setLineDash([5 * ratio, 4 * ratio]);
    for (const piece of pieces) {
      const y = Math.round(u.valToPos(piece.limit, 'y', true)) + 0.5;
      context.globalAlpha = piece.wakes ? 1 : 0.55;
      context.strokeStyle = colours.severity[piece.severity];
      context.beginPath();
      context.moveTo(u.valToPos(piece.from_ms, 'x', true), y);
      context.lineTo(u.valToPos(piece.to_ms, 'x', true), y);
      context.stroke();
    }
  });
}

/** Episodes as ribbons along the top of the plot, from the first sample beyond the limit to the return. */
export function paintEpisodes(u: uPlot, alarms: readonly Alarm[], shown: Range, colours: Colours): void {
  inPlot(u, (context, ratio) => {
    for (const alarm of alarms) {
      const part = clipped({ from_ms: alarm.started_ms, to_ms: alarm.returned_ms ?? shown.to_ms }, shown);
      if (!part) continue;
      const left = u.valToPos(part.from_ms, 'x', true);
      const width = Math.max(3 * ratio, u.valToPos(part.to_ms, 'x', true) - left);
      context.fillStyle = colours.severity[alarm.severity];
      context.fillRect(left, u.bbox.top, width, RIBBON_HEIGHT * ratio);
    }
  });
}

/** Suspect points, hollow, never closer together than they can be told apart. */
export function paintSuspect(u: uPlot, lines: readonly Line[], colours: Colours): void {
  inPlot(u, (context, ratio) => {
    context.lineWidth = 1.5 * ratio;
    context.fillStyle = colours.surface;
    for (const [number, line] of lines.entries()) {
      context.strokeStyle = colours.series[number % colours.series.length] ?? colours.axis;
      let last = -Infinity;
      for (const [index, time] of line.time_ms.entries()) {
        const mean = line.mean[index] ?? null;
        if (mean === null || (line.quality[index] ?? 0) < SUSPECT_FROM) continue;
        const x = u.valToPos(time, 'x', true);
        if (x - last < 7 * ratio) continue;
        last = x;
        context.beginPath();
        context.arc(x, u.valToPos(mean, 'y', true), 3 * ratio, 0, 2 * Math.PI);
        context.fill();
        context.stroke();
      }
    }
  });
}

/** Single points with a gap on both sides, which a line alone would not show. */
export function paintLonely(u: uPlot, lines: readonly Line[], colours: Colours): void {
  inPlot(u, (context, ratio) => {
    for (const [number, line] of lines.entries()) {
      context.fillStyle = colours.series[number % colours.series.length] ?? colours.axis;
      for (const [index, time] of line.time_ms.entries()) {
        const mean = line.mean[index] ?? null;
        if (mean === null || (line.mean[index - 1] ?? null) !== null || (line.mean[index + 1] ?? null) !== null) continue;
        context.beginPath();
        context.arc(u.valToPos(time, 'x', true), u.valToPos(mean, 'y', true), 1.75 * ratio, 0, 2 * Math.PI);
        context.fill();
      }
    }
  });
}
