// Pages and their addresses, both ways: every page can be restored from its address.
// Not here: the browser's history.
import { FILTERS, type Filter } from '../series/alarms';
import { between, SPAN_NAMES, type View } from '../series/spans';

export type Route =
  | { name: 'overview' }
  | { name: 'house'; site: string; zone: string; view: View }
  | { name: 'inbox'; filter: Filter }
  | { name: 'alarm'; id: string }
  | { name: 'nodes' }
  | { name: 'settings' }
  | { name: 'missing' };

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
    case 'nodes':
      return '/nodes';
    case 'settings':
      return '/settings';
  }
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
