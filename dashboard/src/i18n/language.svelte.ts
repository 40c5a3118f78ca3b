// The language of the page, and the words in it. Not here: formats of numbers and times.
import type { Name } from '../api/types';
import { en, zh, type Key } from './catalogue';

export type Language = 'zh' | 'en';
export type Words = Record<string, string | number>;

const STORED = 'miaopu.language';

function chosen(): Language {
  const asked = new URLSearchParams(globalThis.location?.search ?? '').get('lang');
  const stored = asked ?? globalThis.localStorage?.getItem(STORED);
  if (stored === 'zh' || stored === 'en') return stored;
  const wanted = globalThis.navigator?.languages?.find((one) => /^(zh|en)/i.test(one));
  return wanted?.toLowerCase().startsWith('en') ? 'en' : 'zh';
}

let current = $state<Language>(chosen());

export function language(): Language {
  return current;
}

export function locale(): string {
  return current === 'zh' ? 'zh-CN' : 'en-GB';
}

/** Changes the language, now and for the next visit. */
export function speak(wanted: Language): void {
  current = wanted;
  localStorage.setItem(STORED, wanted);
}

const plurals = new Intl.PluralRules('en');

/** Returns `template` with its `{name}` and `{n|one|many}` filled in. */
export function filled(template: string, words: Words): string {
  return template.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/gu, (whole, name: string, one?: string, many?: string) => {
    const word = words[name];
    if (word === undefined) return whole;
    if (one === undefined || many === undefined) return String(word);
    return `${word} ${plurals.select(Number(word)) === 'one' ? one : many}`;
  });
}

/** Returns the words for `key` in the page's language. */
export function t(key: Key, words: Words = {}): string {
  return filled((current === 'zh' ? zh : en)[key], words);
}

/** Whether the catalogue has the key: for names that come from the gateway. */
export function known(key: string): key is Key {
  return key in zh;
}

/** Returns a name from the gateway in the page's language, or in the other where it is empty. */
export function named(name: Name): string {
  return current === 'zh' ? name.zh || name.en : name.en || name.zh;
}
