// What the browser tests share: signing in, choosing what goes on, and looking for trouble.
import { randomUUID } from 'node:crypto';

import { AxeBuilder } from '@axe-core/playwright';
import { expect, type BrowserContext, type Page } from '@playwright/test';

export type Scenario = 'alarm' | 'calm' | 'drift' | 'night' | 'empty';

const BASE_URL = `http://127.0.0.1:${process.env['FIXTURE_PORT'] ?? 4173}`;

/** Enters as `user` into a nursery where `scenario` goes on. */
export async function enter(context: BrowserContext, scenario: Scenario, user = 'technician', baseURL = BASE_URL): Promise<void> {
  await context.addCookies([
    { name: 'session', value: user, url: baseURL },
    { name: 'scenario', value: scenario, url: baseURL },
    { name: 'world', value: randomUUID(), url: baseURL },
  ]);
}

/** Collects what the browser complains about: errors, and anything the content policy refused. */
export function complaints(page: Page): string[] {
  const list: string[] = [];
  page.on('pageerror', (error) => list.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') list.push(message.text());
  });
  return list;
}

/** Expects no violation of WCAG 2.2 AA that a machine can find. */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
  expect(found).toEqual([]);
}

/** Expects that nothing on the page is wider than the screen. */
export async function expectNoSideways(page: Page): Promise<void> {
  const beyond = await page.evaluate(() => {
    if (document.documentElement.scrollWidth <= innerWidth) return [];
    const wide = [...document.body.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1);
    return [`${document.documentElement.scrollWidth} px`, ...wide.slice(0, 8).map((one) => one.outerHTML.slice(0, 120))];
  });
  expect(beyond).toEqual([]);
}

/** How the pages are looked at: each language in both schemes, each width in both languages and schemes. */
export const LOOKS = [
  { locale: 'zh-CN', colorScheme: 'light', width: 390 },
  { locale: 'en-GB', colorScheme: 'dark', width: 390 },
  { locale: 'en-GB', colorScheme: 'light', width: 820 },
  { locale: 'zh-CN', colorScheme: 'dark', width: 820 },
  { locale: 'zh-CN', colorScheme: 'dark', width: 1440 },
  { locale: 'en-GB', colorScheme: 'light', width: 1440 },
] as const;
export const LOCALES = ['zh-CN', 'en-GB'] as const;

/** Chooses what goes on for a visitor who hasn't signed in, as from a message's link. */
export async function visit(context: BrowserContext, scenario: Scenario, baseURL = BASE_URL): Promise<void> {
  await context.addCookies([
    { name: 'scenario', value: scenario, url: baseURL },
    { name: 'world', value: randomUUID(), url: baseURL },
  ]);
}
