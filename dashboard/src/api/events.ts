// The gateway's event stream: opened, watched and opened again. Not here: what events mean.
import type { Event } from './types';

/** Silence longer than this is a lost connection: the gateway's clock event comes every 5 s. */
export const SILENCE_MAX_MS = 16_000;
const RETRY_FIRST_MS = 1_000;
/** The longest wait between two attempts. */
export const RETRY_MAX_MS = 20_000;

export type StreamHandlers = {
  /** The stream is open; `again` says that events may have been missed before. */
  onopen: (again: boolean) => void;
  onevent: (event: Event) => void;
  /** The stream broke; it is being opened again. */
  onlost: () => void;
};

/** Returns how long to wait before attempt `attempt`, with up to a quarter of jitter. */
export function retryDelay(attempt: number, random: number): number {
  const delay = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(attempt, 10));
  return delay * (0.75 + random / 4);
}

/** Opens the stream and keeps it open until the returned function is called. */
export function follow(handlers: StreamHandlers): () => void {
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempt = 0;
  let opened = false;
  let ended = false;

  const watch = (): void => {
    clearTimeout(timer);
    timer = setTimeout(lost, SILENCE_MAX_MS);
  };
  const lost = (): void => {
    clearTimeout(timer);
    source?.close();
    source = null;
    if (ended) return;
    handlers.onlost();
    timer = setTimeout(open, retryDelay(attempt, Math.random()));
    attempt += 1;
  };
  const open = (): void => {
    source = new EventSource('/api/v1/events');
    source.onopen = () => {
      attempt = 0;
      handlers.onopen(opened);
      opened = true;
      watch();
    };
    source.onmessage = (message: MessageEvent<string>) => {
      watch();
      const event = parsed(message.data);
      if (event) handlers.onevent(event);
    };
    source.onerror = lost;
    watch();
  };
  const hurry = (): void => {
    if (ended || source) return;
    clearTimeout(timer);
    open();
  };
  // A phone that wakes up or finds its network again doesn't wait for the next attempt.
  window.addEventListener('online', hurry);
  const seen = (): void => {
    if (document.visibilityState === 'visible') hurry();
  };
  document.addEventListener('visibilitychange', seen);
  open();

  return () => {
    ended = true;
    clearTimeout(timer);
    window.removeEventListener('online', hurry);
    document.removeEventListener('visibilitychange', seen);
    source?.close();
  };
}

/** Returns the event that a line of the stream holds, or null for one that this page is too old to know. */
export function parsed(data: string): Event | null {
  try {
    const body: unknown = JSON.parse(data);
    if (typeof body === 'object' && body !== null && 'type' in body) return body as Event;
  } catch {
    // A broken line is no event; the next resynchronisation makes up for it.
  }
  return null;
}
