import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { en, zh } from './catalogue';
import { filled } from './language.svelte';

const SRC = fileURLToPath(new URL('../', import.meta.url));
const sources: Record<string, string> = Object.fromEntries(
  readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(?:ts|svelte)$/u.test(path))
    .map((path) => [path, readFileSync(join(SRC, path), 'utf8')]),
);
const pageText = Object.entries(sources)
  .filter(([path]) => !path.includes('catalogue') && !path.endsWith('.test.ts'))
  .map(([, text]) => text)
  .join('\n');

const holes = (text: string): string[] => [...text.matchAll(/\{(\w+)/gu)].map((match) => match[1] ?? '').sort();

describe('the catalogue', () => {
  it('has the same keys in both languages', () => {
    expect(Object.keys(en).sort()).toEqual(Object.keys(zh).sort());
  });

  it('says the same in both languages', () => {
    for (const key of Object.keys(zh) as (keyof typeof zh)[]) {
      expect(holes(en[key]), key).toEqual(holes(zh[key]));
      expect(zh[key].trim(), key).not.toBe('');
      expect(en[key].trim(), key).not.toBe('');
    }
  });

  it('has no key that the page does not use', () => {
    const asked = [...pageText.matchAll(/`([a-z.]+)\$\{/gu)].map((match) => match[1] ?? '');
    const unused = Object.keys(zh).filter((key) => !pageText.includes(`'${key}'`) && !asked.some((start) => key.startsWith(start)));
    expect(unused).toEqual([]);
  });

  it('holds every Chinese word of the page', () => {
    const own = new Set(['forms.ts', 'language.svelte', 'SignIn.svelte', 'Settings.svelte', 'client.ts', 'format.ts']);
    const strays = Object.entries(sources)
      .filter(([path]) => !path.endsWith('.test.ts') && !path.includes('catalogue') && ![...own].some((name) => path.includes(name)))
      .filter(([, text]) => /[\u4e00-\u9fff]/u.test(text.replaceAll(/(?:\/\/|\/?\*).*$/gmu, '')))
      .map(([path]) => path);
    expect(strays).toEqual([]);
  });
});

describe('a sentence', () => {
  it('takes the form that fits the number', () => {
    expect(filled('{n|place needs|places need} a look', { n: 1 })).toBe('1 place needs a look');
    expect(filled('{n|place needs|places need} a look', { n: 3 })).toBe('3 places need a look');
    expect(filled('{n} 处', { n: 3 })).toBe('3 处');
  });

  it('keeps a hole that nothing fills, so that it is seen', () => {
    expect(filled('{who} is here', {})).toBe('{who} is here');
  });
});
