// Batches and accessions as the search box lists them. Not here: finding.
import type { Accession, Batch } from '../api/types';
import { named } from '../i18n/language.svelte';
import { placeText } from '../i18n/nursery';
import type { Entry } from '../series/search';
import { accessionHref, batchHref } from './routes';

export function batchEntry(batch: Batch): Entry {
  const names = [batch.crop_name, batch.method_name, batch.stage_name];
  return {
    href: batchHref(batch.site, batch.batch),
    kind: 'batch',
    title: batch.label,
    detail: [named(batch.stage_name), placeText(batch)].join(' · '),
    words: [batch.batch, batch.label, batch.accession ?? '', ...names.flatMap(({ zh, en }) => [zh, en])],
  };
}

/** The gateway found it already, so that it needs no words to be found by. */
export function accessionEntry(accession: Accession): Entry {
  return {
    href: accessionHref(accession.id),
    kind: 'accession',
    title: accession.name ?? accession.number,
    detail: [accession.key, accession.taxon].join(' · '),
    words: [],
  };
}
