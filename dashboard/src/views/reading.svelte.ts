// One answer of the gateway that a page shows: asked for again at will, the latest question wins.
// Not here: what is asked.
import { Refused } from '../api/client';
import { named, t } from '../i18n/language.svelte';

export class Reading<T> {
  value = $state.raw<T | null>(null);
  /** Why nothing could be read, until it can be. */
  trouble = $state.raw<Error | null>(null);
  busy = $state(false);
  #turn = 0;

  async read(ask: () => Promise<T>): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    this.busy = true;
    try {
      const value = await ask();
      if (turn !== this.#turn) return;
      this.value = value;
      this.trouble = null;
    } catch (error) {
      if (turn !== this.#turn) return;
      this.trouble = error instanceof Error ? error : new Error(String(error));
    }
    this.busy = false;
  }

  /** Whether the gateway said that there is no such thing. */
  get missing(): boolean {
    return this.trouble instanceof Refused && this.trouble.status === 404;
  }

  /** Forgets what was read; an answer that is still on its way is not taken. */
  clear(): void {
    this.#turn += 1;
    this.value = null;
    this.trouble = null;
    this.busy = false;
  }
}

/** Returns why something was not done, for people. */
export function whyNot(error: unknown): string {
  return error instanceof Refused ? named(error.problem.message) : t('error.unreachable');
}
