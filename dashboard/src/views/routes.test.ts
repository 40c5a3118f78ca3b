import { describe, expect, it } from 'vitest';

import { href, parse, type Route } from './routes';

const pages: Exclude<Route, { name: 'missing' }>[] = [
  { name: 'overview' },
  { name: 'house', site: 'nanchuan', zone: 'house-1', view: { kind: 'last', span: '24h' } },
  { name: 'house', site: 'nanchuan', zone: 'house-1', view: { kind: 'last', span: '7d' } },
  { name: 'house', site: 'a b', zone: '房/1', view: { kind: 'custom', from_ms: 1_000_000, to_ms: 90_000_000 } },
  { name: 'house', site: 'a', zone: 'b', view: { kind: 'since', what: 'stage' } },
  { name: 'inbox', filter: 'open' },
  { name: 'inbox', filter: 'closed' },
  { name: 'alarm', id: 'x/1' },
  { name: 'answer' },
  { name: 'compare', batches: ['nanchuan/tea-1', 'nanchuan/tea-2'], quantity: 'air_temperature', stage: '1-root', days: { from: 2.5, to: 9 } },
  { name: 'compare', batches: [], quantity: null, stage: null, days: null },
  { name: 'sheet', site: 'nanchuan', date: '2026-11-23' },
  { name: 'sheet', site: null, date: null },
  { name: 'nodes' },
  { name: 'settings' },
  { name: 'batches', state: 'open', place: null },
  { name: 'batches', state: 'closed', place: 'nanchuan/house-1' },
  { name: 'newbatch', accession: 'CHN001:A 1', place: 'nanchuan/house-1' },
  { name: 'batch', site: 'nanchuan', batch: 'new' },
  { name: 'germplasm', search: '大树茶 & 1' },
  { name: 'import' },
  { name: 'accession', id: 41 },
  { name: 'export', batches: [] },
  { name: 'export', batches: ['nanchuan/b-1', 'nanchuan/b 2'] },
  { name: 'start', step: null },
  { name: 'start', step: 'node' },
  { name: 'trust' },
];

describe('an address', () => {
  it.each(pages.map((page) => [href(page), page] as const))('%s restores its page', (address, page) => {
    const url = new URL(address, 'http://localhost');
    expect(parse(url.pathname, url.search)).toEqual(page);
  });

  it.each(['/house/a/b', '/houses/a', '/alarms/a/b', '/nodes/x', '/batches/a', '/germplasm/x', '/trust/x'])('%s is no page', (path) => {
    expect(parse(path, '')).toEqual({ name: 'missing' });
  });

  it('with nonsense in it still leads to its page', () => {
    expect(parse('/alarms', '?show=everything')).toEqual({ name: 'inbox', filter: 'open' });
    expect(parse('/houses/a/b', '?from=yesterday&to=x')).toMatchObject({ view: { kind: 'last', span: '24h' } });
    expect(parse('/compare', '?batches=a,b/c,b/c,/d,e/f,g/h,i/j,k/l&days=9~2')).toEqual({
      name: 'compare', batches: ['b/c', 'e/f', 'g/h', 'i/j'], quantity: null, stage: null, days: null,
    });
    expect(parse('/sheet', '?date=today')).toEqual({ name: 'sheet', site: null, date: null });
    expect(parse('/alarms/%E0%A4%A', '')).toEqual({ name: 'alarm', id: '%E0%A4%A' });
  });
});
