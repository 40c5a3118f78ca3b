import { describe, expect, it } from 'vitest';

import { href, parse, type Route } from './routes';

const pages: Exclude<Route, { name: 'missing' }>[] = [
  { name: 'overview' },
  { name: 'house', site: 'nanchuan', zone: 'house-1', view: { kind: 'last', span: '24h' } },
  { name: 'house', site: 'nanchuan', zone: 'house-1', view: { kind: 'last', span: '7d' } },
  { name: 'house', site: 'a b', zone: '房/1', view: { kind: 'custom', from_ms: 1_000_000, to_ms: 90_000_000 } },
  { name: 'inbox', filter: 'open' },
  { name: 'inbox', filter: 'closed' },
  { name: 'alarm', id: 'x/1' },
  { name: 'nodes' },
  { name: 'settings' },
];

describe('an address', () => {
  it.each(pages.map((page) => [href(page), page] as const))('%s restores its page', (address, page) => {
    const url = new URL(address, 'http://localhost');
    expect(parse(url.pathname, url.search)).toEqual(page);
  });

  it.each(['/house/a/b', '/houses/a', '/alarms/a/b', '/nodes/x'])('%s is no page', (path) => {
    expect(parse(path, '')).toEqual({ name: 'missing' });
  });

  it('with nonsense in it still leads to its page', () => {
    expect(parse('/alarms', '?show=everything')).toEqual({ name: 'inbox', filter: 'open' });
    expect(parse('/houses/a/b', '?from=yesterday&to=x')).toMatchObject({ view: { kind: 'last', span: '24h' } });
    expect(parse('/alarms/%E0%A4%A', '')).toEqual({ name: 'alarm', id: '%E0%A4%A' });
  });
});
