// The page that the browser's address means, and ways to another. Not here: what addresses look like.
import { parse, type Route } from './routes';

let current = $state.raw<Route>(parse(location.pathname, location.search));
/** Grows with each change of page, not with a change of span on one page. */
let visits = $state(0);

export function route(): Route {
  return current;
}

export function visit(): number {
  return visits;
}

function read(): void {
  const next = parse(location.pathname, location.search);
  const other = placeOf(next) !== placeOf(current);
  current = next;
  if (other) visits += 1;
}

function placeOf(one: Route): string {
  if (one.name === 'house') return `house/${one.site}/${one.zone}`;
  if (one.name === 'batch') return `batch/${one.site}/${one.batch}`;
  if (one.name === 'accession') return `accession/${one.id}`;
  if (one.name === 'start') return `start/${one.step ?? ''}`;
  return one.name === 'alarm' ? `alarm/${one.id}` : one.name;
}

/** Goes to another page. */
export function go(href: string): void {
  const before = visits;
  history.pushState(null, '', href);
  read();
  if (visits !== before) scrollTo(0, 0);
}

/** Changes the address of the page that is shown, without a step to go back to. */
export function replace(href: string): void {
  history.replaceState(null, '', href);
  read();
}

/** Follows the browser's buttons, and links of this page, until the returned function is called. */
export function follow(): () => void {
  const click = (event: MouseEvent): void => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.origin !== location.origin || link.target !== '' || link.hash !== '' || link.hasAttribute('download') || link.relList.contains('external')) return;
    event.preventDefault();
    go(link.pathname + link.search);
  };
  addEventListener('popstate', read);
  document.addEventListener('click', click);
  return () => {
    removeEventListener('popstate', read);
    document.removeEventListener('click', click);
  };
}
