// The page's own words, so that a story looks for what a person reads.
import type { TestInfo } from '@playwright/test';

import { en, zh, type Key } from '../src/i18n/catalogue';

/** Returns how the page of this look says a key; what is filled in is left open, as a pattern. */
export function wordsOf(info: TestInfo): (key: Key) => RegExp {
  const table = info.project.name.startsWith('zh') ? zh : en;
  return (key) => {
    const literal = table[key].split(/\{[^}]*\}/u).map((part) => part.replace(/[.*+?^${}()|[\]\\]/gu, '\\$&'));
    return new RegExp(`^\\s*${literal.join('.*')}\\s*$`, 'su');
  };
}

/** Lets more follow after the words: a heading may go on with a count. */
export const begins = (words: RegExp): RegExp => new RegExp(words.source.replace(/\\s\*\$$/u, ''), words.flags);
