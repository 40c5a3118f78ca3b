// What one house's charts need for one span: bands, nights, alarms, and the columns of each channel,
// read when the span changes and carried on by live samples. Not here: drawing.
import * as api from '../api/client';
import type { Alarm, Channel, Series, ZoneDetail } from '../api/types';
import { isNewer, withAlarm } from '../series/alarms';
import { appended } from '../series/columns';
import type { Range } from '../series/spans';

/** Bands and nights are asked for this share of the span beyond its end, so that they don't end at "now". */
const AHEAD = 0.05;

export class HouseData {
  detail = $state.raw<ZoneDetail | null>(null);
  series = $state.raw<ReadonlyMap<number, Series>>(new Map());
  failed = $state.raw<ReadonlySet<number>>(new Set());
  trouble = $state.raw<Error | null>(null);
  loading = $state(false);
  /** The span that was read last. */
  read = $state.raw<Range | null>(null);

  #request: AbortController | null = null;

  constructor(
    readonly site: string,
    readonly zone: string,
    /** Which channels to read; absent means all. */
    readonly wanted: ((channel: Channel) => boolean) | null = null,
  ) {}

  /** Reads a span; a newer call ends an older one. */
  async load(range: Range, points: number): Promise<void> {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    this.loading = true;
    try {
      const ahead = (range.to_ms - range.from_ms) * AHEAD;
      const detail = await api.zone(this.site, this.zone, range.from_ms, range.to_ms + ahead, request.signal);
      if (request.signal.aborted) return;
      this.detail = detail;
      this.trouble = null;
      const channels = this.wanted ? detail.channels.filter(this.wanted) : detail.channels;
      await this.#loadSeries(channels, range, points, request.signal);
      if (!request.signal.aborted) this.read = range;
    } catch (error) {
      if (!request.signal.aborted) this.trouble = error instanceof Error ? error : new Error(String(error));
    } finally {
      if (this.#request === request) this.loading = false;
    }
  }

  async #loadSeries(channels: readonly Channel[], range: Range, points: number, signal: AbortSignal): Promise<void> {
    const answers = await Promise.allSettled(
      channels.map(({ id }) => api.series(id, range.from_ms, range.to_ms, points, signal)),
    );
    if (signal.aborted) return;
    const series = new Map<number, Series>();
    const failed = new Set<number>();
    for (const [index, answer] of answers.entries()) {
      const id = channels[index]?.id;
      if (id === undefined) continue;
      if (answer.status === 'fulfilled') series.set(id, answer.value);
      else failed.add(id);
    }
    this.series = series;
    this.failed = failed;
  }

  /** Carries the lines on with new samples. */
  take(channels: readonly Channel[], follows: boolean): void {
    const detail = this.detail;
    if (!detail) return;
    const fresh = new Map(channels.map((channel) => [channel.id, channel]));
    if (!detail.channels.some(({ id }) => fresh.has(id))) return;
    this.detail = {
      ...detail,
      channels: detail.channels.map((channel) => {
        const newer = fresh.get(channel.id);
        return newer && isNewer(newer, channel) ? newer : channel;
      }),
    };
    if (!follows) return;
    const series = new Map(this.series);
    for (const [id, columns] of this.series) {
      const latest = fresh.get(id)?.latest;
      if (latest) series.set(id, appended(columns, latest));
    }
    this.series = series;
  }

  takeAlarm(alarm: Alarm): void {
    const detail = this.detail;
    if (!detail || alarm.site !== this.site || alarm.zone !== this.zone) return;
    this.detail = { ...detail, alarms: withAlarm(detail.alarms, alarm) };
  }

  end(): void {
    this.#request?.abort();
  }
}
