// What uPlot is told: axes, scales, selection and the hooks that paint. Not here: the data, the cursor.
import type uPlot from 'uplot';

import { number } from '../i18n/format';
import type { TimeTick } from '../series/scales';
import type { Colours } from './paint';

/** What a chart shows at this moment; the hooks read it when uPlot draws. */
export type Picture = {
  from_ms: number;
  to_ms: number;
  low: number;
  high: number;
  timeTicks: TimeTick[];
  timeText: (tick: TimeTick) => string;
  valueTicks: number[];
  valueDecimals: number;
};

export type Sizes = { width: number; height: number; left: number; right: number };

export type Hooks = {
  under: (u: uPlot) => void;
  over: (u: uPlot) => void;
  selected: (from_ms: number, to_ms: number) => void;
};

/** Height of the axis with the times. */
export const AXIS_HEIGHT = 26;

/** Returns the room left and right of the plot: for the values, and for the lines' names where they have any. */
export function marginsOf(narrow: boolean, named: boolean): { left: number; right: number } {
  return { left: narrow ? 44 : 56, right: named ? (narrow ? 64 : 112) : 16 };
}
/** How much of the line's colour the envelope has, as the last two digits of a hex colour. */
const ENVELOPE_ALPHA = '30';
/** A drag shorter than this is a click. */
const DRAG_MIN_PX = 8;

export function options(
  lines: number,
  sizes: Sizes,
  font: string,
  colours: Colours,
  picture: () => Picture,
  hooks: Hooks,
): uPlot.Options {
  const grid = { stroke: colours.grid, width: 1 };
  const axis = { stroke: colours.axis, font: `12px ${font}`, ticks: { show: false }, grid };
  return {
    width: sizes.width,
    height: sizes.height,
    padding: [10, sizes.right, 0, 0],
    legend: { show: false },
    cursor: {
      x: false,
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false, dist: DRAG_MIN_PX },
      bind: { dblclick: () => null },
    },
    scales: {
      x: { time: false, range: () => [picture().from_ms, picture().to_ms] },
      y: { range: () => [picture().low, picture().high] },
    },
    axes: [
      {
        ...axis,
        size: AXIS_HEIGHT,
        gap: 6,
        splits: () => picture().timeTicks.map(({ time_ms }) => time_ms),
        values: () => picture().timeTicks.map((tick) => picture().timeText(tick)),
      },
      {
        ...axis,
        size: sizes.left,
        gap: 8,
        splits: () => picture().valueTicks,
        values: () => picture().valueTicks.map((tick) => tickText(tick, picture().valueDecimals)),
      },
    ],
    series: [{}, ...drawn(lines, colours)],
    bands: Array.from({ length: lines }, (_, n) => ({
      series: [3 * n + 3, 3 * n + 2] as [number, number],
      fill: `${colourOf(colours, n)}${ENVELOPE_ALPHA}`,
    })),
    hooks: {
      drawClear: [hooks.under],
      draw: [hooks.over],
      setSelect: [
        (u) => {
          const { left, width } = u.select;
          if (width < DRAG_MIN_PX) return;
          hooks.selected(u.posToVal(left, 'x'), u.posToVal(left + width, 'x'));
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

export function colourOf(colours: Colours, line: number): string {
  return colours.series[line % colours.series.length] ?? colours.axis;
}

/** Per line: the mean that is seen, then the lowest and highest that only bound the envelope. */
function drawn(lines: number, colours: Colours): uPlot.Series[] {
  const out: uPlot.Series[] = [];
  for (let n = 0; n < lines; n += 1) {
    const bound = { width: 0, points: { show: false }, stroke: 'transparent' };
    out.push(
      { scale: 'y', stroke: colourOf(colours, n), width: 1.75, points: { show: false } },
      { scale: 'y', ...bound },
      { scale: 'y', ...bound },
    );
  }
  return out;
}

function tickText(tick: number, decimals: number): string {
  const thousands = Math.abs(tick) >= 10_000 && tick % 1_000 === 0;
  return thousands ? `${number(tick / 1_000, 0)}k` : number(tick, decimals);
}
