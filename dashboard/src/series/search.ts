// Finding a house, a batch, a node or an accession by a few letters of any of its names. Not here: the box to type in.

export type Entry = { href: string; kind: 'house' | 'batch' | 'node' | 'accession'; title: string; detail: string; words: string[] };

/** The most results that are shown; more would not be read. */
export const RESULTS_MAX = 8;

/** Returns the entries that hold every word of the query, those that begin with it first. */
export function found(entries: readonly Entry[], query: string): Entry[] {
  const wanted = query.toLocaleLowerCase().split(/\s+/u).filter((word) => word !== '');
  if (wanted.length === 0) return entries.slice(0, RESULTS_MAX);
  const first = wanted[0] ?? '';
  return entries
    .filter((entry) => wanted.every((word) => entry.words.some((one) => one.toLocaleLowerCase().includes(word))))
    .map((entry) => ({ entry, begins: entry.words.some((one) => one.toLocaleLowerCase().startsWith(first)) }))
    .sort((a, b) => Number(b.begins) - Number(a.begins))
    .slice(0, RESULTS_MAX)
    .map(({ entry }) => entry);
}
