// Pages and their addresses, both ways: every page can be restored from its address.
// Not here: the browser's history.
import { FILTERS, type Filter } from '../series/alarms';
import { BEGINNINGS, between, SPAN_NAMES, type View } from '../series/spans';

export type Route =
  | { name: 'overview' }
  | { name: 'house'; site: string; zone: string; view: View }
  | { name: 'inbox'; filter: Filter }
  | { name: 'alarm'; id: string }
  | { name: 'answer' }
  | ({ name: 'compare' } & Comparison)
  | { name: 'sheet'; site: string | null; date: string | null }
  | { name: 'nodes' }
  | { name: 'batches'; state: BatchFilter; place: string | null }
  | { name: 'newbatch'; accession: string | null; place: string | null }
  | { name: 'batch'; site: string; batch: string }
  | { name: 'germplasm'; search: string }
  | { name: 'import' }
  | { name: 'accession'; id: number }
  | { name: 'export'; batches: string[] }
  | { name: 'start'; step: Step | null }
  | { name: 'trust' }
  | { name: 'settings' }
  | { name: 'missing' };

export const BATCH_FILTERS = ['open', 'closed', 'all'] as const;
export type BatchFilter = (typeof BATCH_FILTERS)[number];

/** The steps of the first hour, in their order. */
export const STEPS = ['password', 'site', 'zone', 'node', 'reading'] as const;
export type Step = (typeof STEPS)[number];

/** What the comparison shows; what is absent is chosen by the page. */
export type Comparison = {
  /** `site/batch`, at most `COMPARED_MAX`. */
  batches: string[];
  quantity: string | null;
  /** A stage that is compared alone; all stages where absent. */
  stage: string | null;
  /** The days since the start that the chart shows; all of them where absent. */
  days: { from: number; to: number } | null;
};

/** More batches than this on one chart cannot be told apart. */
export const COMPARED_MAX = 4;

/** The span of a house's page where its address names none. */
export const VIEW_DEFAULT: View = { kind: 'last', span: '24h' };

/** Returns the page that an address means. */
export function parse(path: string, search: string): Route {
  const parts = path.split('/').filter((part) => part !== '').map(decoded);
  const query = new URLSearchParams(search);
  const [first, second, third] = parts;
  if (parts.length === 0) return { name: 'overview' };
  if (first === 'houses' && parts.length === 3 && second && third) {
    return { name: 'house', site: second, zone: third, view: viewOf(query) };
  }
  if (first === 'alarms' && parts.length === 1) {
    const show = query.get('show');
    return { name: 'inbox', filter: FILTERS.find((filter) => filter === show) ?? 'open' };
  }
  if (first === 'alarms' && parts.length === 2 && second) return { name: 'alarm', id: second };
  if (first === 'answer' && parts.length === 1) return { name: 'answer' };
  if (first === 'compare' && parts.length === 1) return { name: 'compare', ...comparisonOf(query) };
  if (first === 'sheet' && parts.length === 1) return { name: 'sheet', ...sheetOf(query) };
  if (first === 'nodes' && parts.length === 1) return { name: 'nodes' };
  if (first === 'settings' && parts.length === 1) return { name: 'settings' };
  return nursery(parts, query) ?? { name: 'missing' };
}

function nursery(parts: string[], query: URLSearchParams): Route | null {
  const [first, second, third] = parts;
  if (first === 'batches' && parts.length === 1) {
    const state = query.get('state');
    return { name: 'batches', state: BATCH_FILTERS.find((one) => one === state) ?? 'open', place: query.get('place') || null };
  }
  if (first === 'batches' && second === 'new' && parts.length === 2) {
    return { name: 'newbatch', accession: query.get('accession') || null, place: query.get('place') || null };
  }
  if (first === 'batches' && parts.length === 3 && second && third) return { name: 'batch', site: second, batch: third };
  if (first === 'germplasm' && parts.length === 1) return { name: 'germplasm', search: query.get('search') ?? '' };
  if (first === 'germplasm' && second === 'import' && parts.length === 2) return { name: 'import' };
  if (first === 'germplasm' && parts.length === 2 && /^\d{1,15}$/u.test(second ?? '')) return { name: 'accession', id: Number(second) };
  if (first === 'export' && parts.length === 1) {
    const wanted = query.getAll('batch').filter((one) => /^[^/]+\/[^/]+$/u.test(one));
    return { name: 'export', batches: [...new Set(wanted)] };
  }
  if (first === 'start' && parts.length === 1) {
    const step = query.get('step');
    return { name: 'start', step: STEPS.find((one) => one === step) ?? null };
  }
  if (first === 'trust' && parts.length === 1) return { name: 'trust' };
  return null;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function viewOf(query: URLSearchParams): View {
  const from = Date.parse(query.get('from') ?? '');
  const to = Date.parse(query.get('to') ?? '');
  if (!Number.isNaN(from) && !Number.isNaN(to) && from < to) return { kind: 'custom', ...between(from, to) };
  const what = BEGINNINGS.find((one) => one === query.get('span'));
  if (what) return { kind: 'since', what };
  const span = SPAN_NAMES.find((name) => name === query.get('span'));
  return span ? { kind: 'last', span } : VIEW_DEFAULT;
}

function comparisonOf(query: URLSearchParams): Comparison {
  const wanted = (query.get('batches') ?? '').split(',').filter((one) => /^[^/]+\/[^/]+$/u.test(one));
  const [from = NaN, to = NaN] = (query.get('days') ?? '').split('~').map(Number);
  return {
    batches: [...new Set(wanted)].slice(0, COMPARED_MAX),
    quantity: query.get('quantity') || null,
    stage: query.get('stage') || null,
    days: from >= 0 && to > from ? { from, to } : null,
  };
}

function sheetOf(query: URLSearchParams): { site: string | null; date: string | null } {
  const date = query.get('date') ?? '';
  return { site: query.get('site') || null, date: /^\d{4}-\d{2}-\d{2}$/u.test(date) ? date : null };
}

/** Returns the address of a page. */
export function href(route: Exclude<Route, { name: 'missing' }>): string {
  switch (route.name) {
    case 'overview':
      return '/';
    case 'house':
      return `/houses/${encodeURIComponent(route.site)}/${encodeURIComponent(route.zone)}${viewQuery(route.view)}`;
    case 'inbox':
      return route.filter === 'open' ? '/alarms' : `/alarms?show=${route.filter}`;
    case 'alarm':
      return `/alarms/${encodeURIComponent(route.id)}`;
    case 'answer':
      return '/answer';
    case 'compare':
      return `/compare${comparisonQuery(route)}`;
    case 'sheet':
      return `/sheet${sheetQuery(route.site, route.date)}`;
    case 'nodes':
      return '/nodes';
    case 'batches':
      return `/batches${queryOf({ state: route.state === 'open' ? null : route.state, place: route.place })}`;
    case 'newbatch':
      return `/batches/new${queryOf({ accession: route.accession, place: route.place })}`;
    case 'batch':
      return `/batches/${encodeURIComponent(route.site)}/${encodeURIComponent(route.batch)}`;
    case 'germplasm':
      return `/germplasm${queryOf({ search: route.search })}`;
    case 'import':
      return '/germplasm/import';
    case 'accession':
      return `/germplasm/${route.id}`;
    case 'export':
      return `/export${route.batches.map((one, index) => `${index === 0 ? '?' : '&'}batch=${encodeURIComponent(one)}`).join('')}`;
    case 'start':
      return `/start${queryOf({ step: route.step })}`;
    case 'trust':
      return '/trust';
    case 'settings':
      return '/settings';
  }
}

function comparisonQuery({ batches, quantity, stage, days }: Comparison): string {
  const parts = [
    batches.length > 0 ? `batches=${batches.map((one) => one.split('/').map(encodeURIComponent).join('/')).join(',')}` : '',
    quantity === null ? '' : `quantity=${encodeURIComponent(quantity)}`,
    stage === null ? '' : `stage=${encodeURIComponent(stage)}`,
    days === null ? '' : `days=${days.from}~${days.to}`,
  ].filter((part) => part !== '');
  return parts.length > 0 ? `?${parts.join('&')}` : '';
}

function queryOf(parameters: Record<string, string | null>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value) query.set(name, value);
  return query.size > 0 ? `?${query.toString()}` : '';
}

function sheetQuery(site: string | null, date: string | null): string {
  const query = new URLSearchParams();
  if (site !== null) query.set('site', site);
  if (date !== null) query.set('date', date);
  return query.size > 0 ? `?${query.toString()}` : '';
}

function viewQuery(view: View): string {
  if (view.kind === 'custom') {
    return `?from=${new Date(view.from_ms).toISOString()}&to=${new Date(view.to_ms).toISOString()}`;
  }
  if (view.kind === 'since') return `?span=${view.what}`;
  return view.span === '24h' ? '' : `?span=${view.span}`;
}

/** Returns the address of a house's page with the span that pages open with. */
export function houseHref(site: string, zone: string): string {
  return href({ name: 'house', site, zone, view: VIEW_DEFAULT });
}

export function alarmHref(id: string): string {
  return href({ name: 'alarm', id });
}

/** Returns the address of a comparison of batches, named as `site/batch`. */
export function compareHref(batches: string[]): string {
  return href({ name: 'compare', batches, quantity: null, stage: null, days: null });
}

export function sheetHref(site: string, date: string | null = null): string {
  return href({ name: 'sheet', site, date });
}

export function batchHref(site: string, batch: string): string {
  return href({ name: 'batch', site, batch });
}

export function accessionHref(id: number): string {
  return href({ name: 'accession', id });
}

/** Returns the address of the study page with these batches chosen, named as `site/batch`. */
export function exportHref(batches: string[]): string {
  return href({ name: 'export', batches });
}
