// Which charts a house has and what each shows. Not here: reading or drawing.
import type { Alarm, BandTrack, Channel, Series, ZoneDetail } from '../api/types';
import type { ChartLine } from '../components/Chart.svelte';
import { positionName } from '../i18n/format';
import { bandPieces, limitPieces, type BandPiece, type LimitPiece } from '../series/bands';
import { drawn, line, summary } from '../series/columns';
import type { Range } from '../series/spans';

/** More lines than this on one chart cannot be told apart; the rest is named, not drawn. */
export const LINES_MAX = 6;

const ORDER = [
  'air_temperature',
  'relative_humidity',
  'vapour_pressure_deficit',
  'dew_point',
  'absolute_humidity',
  'illuminance',
  'ppfd',
  'daily_light_integral',
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
  'supply_voltage',
];

export type ChartPlan = { quantity: string; unit: string; decimals: number; channels: Channel[] };

/** Groups channels into charts by quantity, in the order in which a grower asks. */
export function plans(channels: readonly Channel[]): ChartPlan[] {
  const groups = new Map<string, ChartPlan>();
  for (const channel of channels) {
    const plan = groups.get(channel.quantity);
    if (plan) plan.channels.push(channel);
    else {
      const { quantity, unit, decimals } = channel;
      groups.set(quantity, { quantity, unit, decimals, channels: [channel] });
    }
  }
  return [...groups.values()].sort((a, b) => rankOf(a.quantity) - rankOf(b.quantity));
}

/** Returns where a quantity stands in the order in which a grower asks. */
export function rankOf(quantity: string): number {
  const at = ORDER.indexOf(quantity);
  return at < 0 ? ORDER.length : at;
}

/** Returns what to call each channel: its position, with its node where two share one. */
export function labels(channels: readonly Channel[]): string[] {
  return channels.map((channel) => {
    const shared = channels.some((other) => other.id !== channel.id && other.position === channel.position);
    return shared ? `${channel.node} ${positionName(channel.position)}` : positionName(channel.position);
  });
}

/** Returns the lines of a chart, in the order of its channels. */
export function chartLines(plan: ChartPlan, series: ReadonlyMap<number, Series>, detail: ZoneDetail): ChartLine[] {
  const shown = plan.channels.slice(0, LINES_MAX);
  const names = labels(shown);
  return shown.map((channel, index) => {
    const received = series.get(channel.id);
    const columns = received && drawn(plan.quantity, received);
    const interval =
      detail.nodes.find(({ site, node }) => site === channel.site && node === channel.node)?.interval_ms ?? null;
    return {
      id: channel.id,
      label: names[index] ?? '',
      line: columns ? line(columns, interval) : { time_ms: [], min: [], mean: [], max: [], quality: [] },
      summary: columns ? summary(columns, interval) : null,
    };
  });
}

export type Surroundings = { bands: BandPiece[]; limits: LimitPiece[]; alarms: Alarm[] };

/** Returns the band, limits and episodes that belong to a chart. */
export function surroundings(plan: ChartPlan, detail: ZoneDetail, range: Range): Surroundings {
  const steps = trackOf(detail, plan.quantity)?.steps ?? [];
  const ids = new Set(plan.channels.map(({ id }) => id));
  return {
    bands: bandPieces(steps, range),
    limits: limitPieces(steps, range),
    alarms: detail.alarms.filter(({ channel }) => channel !== null && ids.has(channel)),
  };
}

export function trackOf(detail: ZoneDetail, quantity: string): BandTrack | undefined {
  return detail.bands.find((track) => track.quantity === quantity);
}
