// What a person does in a browser, and how often they had to tap.
import { expect, type Page } from '@playwright/test';

const TAPS = 'miaopu.taps';

/** Counts the taps and clicks that reach a page, from one page of the gateway to the next. */
export async function countTaps(page: Page): Promise<() => Promise<number>> {
  await page.addInitScript((key) => {
    // Only what a person did: a script's click() is not trusted. A key that presses a button counts.
    addEventListener(
      'click',
      (event) => {
        if (event.isTrusted) sessionStorage.setItem(key, String(Number(sessionStorage.getItem(key)) + 1));
      },
      { capture: true },
    );
  }, TAPS);
  return () => page.evaluate((key) => Number(sessionStorage.getItem(key)), TAPS);
}

/** Signs in through the interface, as the page itself does. */
export async function signIn(page: Page, url: string, user: string, password: string, next?: string): Promise<void> {
  const post = (path: string, data: unknown) => page.request.post(`${url}/api/v1${path}`, { data, headers: { origin: url } });
  expect((await post('/session', { user, password })).ok()).toBe(true);
  if (next !== undefined) expect((await post('/session/password', { old: password, new: next })).ok()).toBe(true);
}
