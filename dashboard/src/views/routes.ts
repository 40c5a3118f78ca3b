// Pages and their addresses, both ways: every page can be restored from its address.
// Not here: the browser's history.
import { FILTERS, type Filter } from '../series/alarms';
import { between, SPAN_NAMES, type View } from '../series/spans';

export type Route =
  | { name: 'overview' }
  | { name: 'house'; site: string; zone: string; view: View }
  | { name: 'inbox'; filter: Filter }
  | { name: 'alarm'; id: string }
  | { name: 'answer' }
  | ({ name: 'compare' } & Comparison)
  | { name: 'sheet'; site: string | null; date: string | null }
  | { name: 'nodes' }
  | { name: 'settings' }
  | { name: 'missing' };

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
  return { name: 'missing' };
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
