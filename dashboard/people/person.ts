// What a person does in a browser, and how often they had to tap.
import { expect, type Page } from '@playwright/test';

/** Counts the taps and clicks that reach a page, over all pages that it opens in turn. */
export async function countTaps(page: Page): Promise<() => number> {
  let taps = 0;
  await page.exposeFunction('miaopuTapped', () => {
    taps += 1;
  });
  await page.addInitScript(() => {
    // Only what a person did; a script's click() doesn't count, and a key that presses a button does.
    addEventListener(
      'click',
      (event) => {
        if (event.isTrusted) void (globalThis as unknown as { miaopuTapped: () => Promise<void> }).miaopuTapped();
      },
      { capture: true },
    );
  });
  return () => taps;
}

/** Signs in through the interface, as the page itself does. */
export async function signIn(page: Page, url: string, user: string, password: string, next?: string): Promise<void> {
  const post = (path: string, data: unknown) => page.request.post(`${url}/api/v1${path}`, { data, headers: { origin: url } });
  expect((await post('/session', { user, password })).ok()).toBe(true);
  if (next !== undefined) expect((await post('/session/password', { old: password, new: next })).ok()).toBe(true);
}
