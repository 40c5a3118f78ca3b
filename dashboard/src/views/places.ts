// The places that the rail and the phone's bar lead to, and which of them a page belongs to.
// Not here: how they are drawn.
import type { Right, Severity } from '../api/types';
import type { IconName } from '../components/icons';
import type { Place } from '../components/place';
import { t } from '../i18n/language.svelte';
import type { Route } from './routes';

type Asker = { unacknowledged: number; may: (right: Right) => boolean };
type Page = Route['name'];

function place(href: string, icon: IconName, label: string, current: boolean): Place {
  return { href, icon, label, current, waiting: 0, severity: null };
}

/** Returns the five that are used most, the rest that this person may use, and the one at the foot. */
export function placesOf(page: Page, asker: Asker, severity: Severity | null): { first: Place[]; rest: Place[]; last: Place } {
  const among = (...pages: Page[]): boolean => pages.includes(page);
  const alarms = place('/alarms', 'alarms', t('nav.alarms'), among('inbox', 'alarm'));
  return {
    first: [
      place('/', 'overview', t('nav.overview'), among('overview', 'house', 'start', 'sheet')),
      { ...alarms, waiting: asker.unacknowledged, severity },
      place('/batches', 'batches', t('nav.batches'), among('batches', 'batch', 'newbatch', 'compare')),
      place('/germplasm', 'germplasm', t('nav.germplasm'), among('germplasm', 'accession', 'import')),
      place('/nodes', 'nodes', t('nav.nodes'), among('nodes')),
    ],
    rest: asker.may('export') ? [place('/export', 'export', t('nav.export'), among('export'))] : [],
    last: place('/settings', 'settings', t('nav.settings'), among('settings', 'trust')),
  };
}
