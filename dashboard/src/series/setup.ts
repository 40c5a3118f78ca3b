// How far the first hour has come. Not here: what each step asks.
import type { Setup } from '../api/types';

type Step = 'password' | 'site' | 'zone' | 'node' | 'reading';

/** Returns which steps are done; whoever sees this has changed the first password. */
export function stepsDone(setup: Setup): Record<Step, boolean> {
  return { password: true, site: setup.sites > 0, zone: setup.zones > 0, node: setup.nodes > 0, reading: setup.readings };
}

/** Returns the step that waits, or the last one where none does. */
export function firstOpen(setup: Setup): Step {
  const done = stepsDone(setup);
  return (['site', 'zone', 'node'] as const).find((step) => !done[step]) ?? 'reading';
}
