// What all pages share while somebody is signed in: the gateway's clock, the houses, the open alarms
// and the nodes, kept up to date by the event stream. Not here: what one page alone needs.
import * as api from '../api/client';
import { follow } from '../api/events';
import type { Alarm, Channel, Event, Health, Node, Overview, Right, Session } from '../api/types';
import { ZONE_DEFAULT } from '../i18n/zone.svelte';
import { byUrgency, isOpen, withAlarm, withChannels, withSamples } from '../series/alarms';
import { anchored, gatewayNow, type Clock } from '../series/clock';
import { withNightAlarm } from '../series/night';
import { asks } from '../series/shelving';

/** The overview is read again after this long while samples arrive, for its deviations and small lines. */
const OVERVIEW_EVERY_MS = 20_000;
/** Events that come together lead to one reading. */
const TOGETHER_MS = 300;
const TICK_MS = 1_000;
/** Samples are shown together this often; a fast demonstration sends more than eyes can follow. */
const FLUSH_MS = 500;
/** The gateway is asked how well it is this often. */
const HEALTH_EVERY_MS = 60_000;

type SampleListener = (channels: Channel[]) => void;
type AlarmListener = (alarm: Alarm) => void;

export class Live {
  connection = $state<'connecting' | 'live' | 'lost'>('connecting');
  /** The gateway's clock, once a second of the wall. */
  now_ms = $state(0);
  overview = $state.raw<Overview | null>(null);
  alarms = $state.raw<Alarm[]>([]);
  nodes = $state.raw<Node[]>([]);
  health = $state.raw<Health | null>(null);
  /** Why nothing could be read, until it can be. */
  trouble = $state.raw<Error | null>(null);
  /** Grows when pages should read what they show again. */
  epoch = $state(0);
  /** Alarms that came by themselves since the page was opened. */
  fresh = $state.raw<ReadonlySet<string>>(new Set());
  /** The site that the page is about, where it is about one. */
  site = $state<string | null>(null);

  #clock = $state.raw<Clock | null>(null);
  #samples = new Set<SampleListener>();
  #alarms = new Set<AlarmListener>();
  #overviewRead = 0;
  #healthRead = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flush: ReturnType<typeof setTimeout> | undefined;
  #pending = new Map<number, Channel>();
  #ended = false;

  constructor(
    readonly session: Session,
    readonly onsignedout: () => void,
  ) {}

  /** Alarms that somebody should look at now, the most urgent first; shelved ones are not among them. */
  get asking(): Alarm[] {
    return this.alarms.filter((alarm) => asks(alarm, this.now_ms)).sort(byUrgency);
  }

  get unacknowledged(): number {
    return this.asking.length;
  }

  /** The time zone of a site, or of the first one where none is named. */
  zoneOf(site: string | null): string {
    const sites = this.overview?.sites ?? [];
    return (sites.find((one) => one.site === site) ?? sites[0])?.time_zone ?? ZONE_DEFAULT;
  }

  /** Whether the sites tell different times, so that each time must say whose it is. */
  get zones(): boolean {
    return new Set((this.overview?.sites ?? []).map((one) => one.time_zone)).size > 1;
  }

  /** Says which site the page is about, until the returned function is called. */
  about(site: string | null): () => void {
    this.site = site;
    return () => {
      this.site = null;
    };
  }

  /** The newest reading of all houses. */
  get newest_ms(): number | null {
    let newest: number | null = null;
    for (const zone of this.overview?.zones ?? []) {
      if (zone.newest_ms !== null && (newest === null || zone.newest_ms > newest)) newest = zone.newest_ms;
    }
    return newest;
  }

  may(right: Right): boolean {
    return this.session.rights.includes(right);
  }

  /** Starts listening; the returned function ends it. */
  start(): () => void {
    void this.readAll();
    const stop = follow({
      onopen: (again) => {
        this.connection = 'live';
        if (again) void this.readAll();
      },
      onevent: (event) => this.#take(event),
      onlost: () => {
        this.connection = 'lost';
        void this.#stillSignedIn();
      },
    });
    const tick = setInterval(() => {
      this.#tick();
      if (this.connection === 'live' && Date.now() - this.#healthRead > HEALTH_EVERY_MS) void this.#readHealth();
    }, TICK_MS);
    return () => {
      this.#ended = true;
      stop();
      clearInterval(tick);
      clearTimeout(this.#timer);
      clearTimeout(this.#flush);
    };
  }

  onSamples(listener: SampleListener): () => void {
    this.#samples.add(listener);
    return () => this.#samples.delete(listener);
  }

  onAlarm(listener: AlarmListener): () => void {
    this.#alarms.add(listener);
    return () => this.#alarms.delete(listener);
  }

  /** Reads everything again: at the start, after a loss, when events were dropped. */
  async readAll(): Promise<void> {
    try {
      const [health, overview, open, nodes] = await Promise.all([
        api.health(),
        api.overview(),
        api.alarms('open'),
        api.nodes(),
      ]);
      this.#takeHealth(health);
      this.overview = overview;
      this.#overviewRead = Date.now();
      this.alarms = open.alarms;
      this.nodes = nodes;
      this.trouble = null;
      this.epoch += 1;
    } catch (error) {
      this.#failed(error);
    }
  }

  #takeHealth(health: Health): void {
    this.#healthRead = Date.now();
    this.health = health;
    this.#anchor(health.now_ms, health.speed);
  }

  async #readHealth(): Promise<void> {
    this.#healthRead = Date.now();
    try {
      this.#takeHealth(await api.health());
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#ended) return;
    if (error instanceof api.Refused && error.status === 401) this.onsignedout();
    else this.trouble = error instanceof Error ? error : new Error(String(error));
  }

  async #stillSignedIn(): Promise<void> {
    try {
      if ((await api.session()) === null && !this.#ended) this.onsignedout();
    } catch {
      // Unreachable: the stream says so already.
    }
  }

  async #readOverview(): Promise<void> {
    this.#overviewRead = Date.now();
    try {
      const overview = await api.overview();
      this.overview = overview;
      this.#anchor(overview.now_ms);
      this.trouble = null;
    } catch (error) {
      this.#failed(error);
    }
  }

  #readOverviewSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#readOverview(), TOGETHER_MS);
  }

  #anchor(gateway_ms: number, speed?: number): void {
    this.#clock = anchored(this.#clock, gateway_ms, Date.now(), speed);
    this.#tick();
  }

  #tick(): void {
    if (this.#clock) this.now_ms = gatewayNow(this.#clock, Date.now());
  }

  #take(event: Event): void {
    switch (event.type) {
      case 'clock':
        this.#anchor(event.now_ms);
        break;
      case 'samples':
        for (const channel of event.channels) this.#pending.set(channel.id, channel);
        this.#flush ??= setTimeout(() => this.#takeSamples(), FLUSH_MS);
        break;
      case 'alarm':
        this.#takeAlarm(event.alarm);
        break;
      case 'node':
        this.#takeNode(event.node);
        break;
      case 'configuration':
      case 'lagged':
        void this.readAll();
        break;
    }
  }

  #takeSamples(): void {
    this.#flush = undefined;
    const channels = [...this.#pending.values()];
    this.#pending.clear();
    if (this.overview) this.overview = withChannels(this.overview, channels);
    this.nodes = withSamples(this.nodes, channels);
    for (const listener of this.#samples) listener(channels);
    if (Date.now() - this.#overviewRead > OVERVIEW_EVERY_MS) void this.#readOverview();
  }

  #takeAlarm(alarm: Alarm): void {
    const known = this.alarms.some((one) => one.id === alarm.id);
    if (!known && isOpen(alarm)) this.fresh = new Set([...this.fresh, alarm.id]);
    this.alarms = withAlarm(this.alarms, alarm).filter(isOpen);
    if (this.overview) this.overview = { ...this.overview, night: withNightAlarm(this.overview.night, alarm) };
    for (const listener of this.#alarms) listener(alarm);
    this.#readOverviewSoon();
  }

  #takeNode(node: Node): void {
    const same = (one: Node): boolean => one.site === node.site && one.node === node.node;
    this.nodes = this.nodes.some(same)
      ? this.nodes.map((one) => (same(one) ? node : one))
      : [...this.nodes, node];
  }
}
