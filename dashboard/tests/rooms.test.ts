// The rooms of the page: who may name whom, who may fetch, what no file may hold.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const SRC = join(ROOT, 'src');
/** Each room may name itself and those before it; `api` is named for its types alone below `views`. */
const ROOMS = ['api', 'series', 'i18n', 'components', 'views'];
const FIRST_LOAD_MAX_BYTES = 120_000;

function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}

const sources = files(SRC)
  .filter((path) => /\.(?:ts|svelte)$/u.test(path) && !path.endsWith('.test.ts'))
  .map((path) => ({ path: relative(SRC, path), text: readFileSync(path, 'utf8') }));
const rank = (path: string): number => ROOMS.indexOf(path.split('/')[0] ?? '');
const bare = (text: string): string => text.replaceAll(/\/\*[\s\S]*?\*\/|<!--[\s\S]*?-->|(?<!:)\/\/.*$/gmu, '');

type Import = { from: string; to: string; types: boolean };
const imports: Import[] = sources.flatMap(({ path, text }) =>
  [...text.matchAll(/import\s+(type\s)?[^;]*?from\s+'(\.[^']+)'/gu)].map((match) => ({
    from: path,
    to: normalize(join(dirname(path), match[2] ?? '')),
    types: match[1] !== undefined,
  })),
);

describe('a room', () => {
  it('names only itself and those before it', () => {
    const wrong = imports.filter(({ from, to }) => from !== 'main.ts' && rank(to) > rank(from));
    expect(wrong).toEqual([]);
  });

  it('between api and views takes no more than types from api', () => {
    const wrong = imports.filter(({ from, to, types }) => to.startsWith('api/') && !types && ['series', 'i18n', 'components'].includes(ROOMS[rank(from)] ?? ''));
    expect(wrong).toEqual([]);
  });

  it('is free of cycles', () => {
    const next = new Map<string, string[]>();
    const resolved = (to: string): string | undefined => sources.find(({ path }) => path === to || path === `${to}.ts`)?.path;
    for (const { from, to, types } of imports) {
      const found = resolved(to);
      if (found && !types) next.set(from, [...(next.get(from) ?? []), found]);
    }
    const done = new Set<string>();
    const visit = (path: string, trail: string[]): string[] | null => {
      if (trail.includes(path)) return [...trail, path];
      if (done.has(path)) return null;
      for (const to of next.get(path) ?? []) {
        const cycle = visit(to, [...trail, path]);
        if (cycle) return cycle;
      }
      done.add(path);
      return null;
    };
    for (const { path } of sources) expect(visit(path, [])).toBeNull();
  });
});

describe('a file', () => {
  it('asks the gateway only in api', () => {
    const asking = sources.filter(({ text }) => /\b(?:fetch|EventSource|XMLHttpRequest)\s*\(/u.test(bare(text))).map(({ path }) => path);
    expect(asking.sort()).toEqual(['api/client.ts', 'api/events.ts', 'api/nursery.ts']);
  });

  it('holds no any, no default export, no inline style and no inline script', () => {
    for (const { path, text } of sources) {
      const code = bare(text);
      expect(code, path).not.toMatch(/[:<]\s*any\b|\bas any\b/u);
      expect(code, path).not.toMatch(/export default/u);
      expect(code, path).not.toMatch(/\sstyle="/u);
      expect(code, path).not.toMatch(/\{@html/u);
    }
    expect(readFileSync(join(ROOT, 'index.html'), 'utf8')).not.toMatch(/<style|\sstyle=|<script(?![^>]*\ssrc=)/u);
  });

  it('says at its head what it is', () => {
    for (const { path, text } of sources) expect(text.startsWith('//') || text.startsWith('<!--'), path).toBe(true);
  });
});

describe('what is served', () => {
  const dist = files(join(ROOT, 'dist'));

  it('fits the first load', () => {
    const text = (path: string): string => readFileSync(join(ROOT, 'dist', path), 'utf8');
    const first = new Set(['index.html']);
    const named = (path: string): string[] =>
      path === 'index.html'
        ? [...text(path).matchAll(/(?:src|href)="\/(assets\/[^"]+)"/gu)].map((match) => match[1] ?? '')
        : [...text(path).matchAll(/(?:from|import)\s*"\.\/([\w.-]+\.js)"/gu)].map((match) => `assets/${match[1] ?? ''}`);
    // Behind the door comes the frame with the overview: the code that most people wait for.
    const shell = dist.map((path) => relative(join(ROOT, 'dist'), path)).filter((path) => /assets\/Shell-.*\.(?:js|css)$/u.test(path));
    const visit = (path: string): void => {
      if (first.has(path)) return;
      first.add(path);
      if (path.endsWith('.js')) named(path).forEach(visit);
    };
    [...named('index.html'), ...shell].forEach(visit);
    const bytes = [...first].reduce((sum, path) => sum + gzipSync(readFileSync(join(ROOT, 'dist', path))).length, 0);
    expect(bytes).toBeLessThan(FIRST_LOAD_MAX_BYTES);
  });

  it('comes from this gateway alone and says nothing of where it was built', () => {
    for (const path of dist) {
      const text = readFileSync(path, 'utf8');
      expect(text, path).not.toContain(ROOT);
      expect(text, path).not.toMatch(/\/\/# sourceMappingURL/u);
      const hosts = [...text.matchAll(/https?:\/\/([\w.-]+)/gu)].map((match) => match[1] ?? '');
      expect(hosts.filter((host) => !['www.w3.org', 'svelte.dev', 'github.com'].includes(host)), path).toEqual([]);
    }
  });
});
