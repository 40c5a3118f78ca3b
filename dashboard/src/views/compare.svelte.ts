// What a comparison needs: every batch to choose from, and of the chosen ones exposure and columns.
// Not here: drawing, the address.
import * as api from '../api/client';
import type { Batch, BatchExposure, BatchSeries } from '../api/types';

/** How many points a batch's line has at most. */
const POINTS = 600;

export class ComparisonData {
  all = $state.raw<Batch[] | null>(null);
  exposures = $state.raw<ReadonlyMap<string, BatchExposure>>(new Map());
  series = $state.raw<ReadonlyMap<string, BatchSeries>>(new Map());
  /** Chosen batches that are not there. */
  missing = $state.raw<ReadonlySet<string>>(new Set());
  trouble = $state.raw<Error | null>(null);
  loading = $state(false);

  #request: AbortController | null = null;

  async loadAll(): Promise<void> {
    try {
      this.all = (await api.allBatches()).batches;
    } catch (error) {
      this.trouble = error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Reads the chosen batches anew, named as `site/batch`; a newer call ends an older one. */
  async load(keys: readonly string[], quantity: string | null): Promise<void> {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    this.loading = true;
    const missing = new Set<string>();
    try {
      const exposures = await this.#each(keys, missing, (site, batch) => api.exposure(site, batch, request.signal));
      if (request.signal.aborted) return;
      this.exposures = exposures;
      this.missing = missing;
      if (quantity !== null) {
        const series = await this.#each(keys, missing, (site, batch) => api.batchSeries(site, batch, quantity, POINTS, request.signal));
        if (request.signal.aborted) return;
        this.series = series;
      }
      this.trouble = null;
    } catch (error) {
      if (!request.signal.aborted) this.trouble = error instanceof Error ? error : new Error(String(error));
    } finally {
      if (this.#request === request) this.loading = false;
    }
  }

  async #each<T>(keys: readonly string[], missing: Set<string>, ask: (site: string, batch: string) => Promise<T>): Promise<Map<string, T>> {
    const answers = await Promise.all(
      keys.map(async (key): Promise<[string, T] | null> => {
        const [site = '', batch = ''] = key.split('/');
        try {
          return [key, await ask(site, batch)];
        } catch (error) {
          if (!(error instanceof api.Refused) || error.status !== 404) throw error;
          missing.add(key);
          return null;
        }
      }),
    );
    return new Map(answers.filter((answer) => answer !== null));
  }

  end(): void {
    this.#request?.abort();
  }
}
