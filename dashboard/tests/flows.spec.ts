// What a person does: answers an alarm, follows a house, goes on when the gateway goes away.
import { expect, test } from '@playwright/test';

import { complaints, enter } from './helpers';

test('an alarm is acknowledged in two taps on a phone, from the bar that is always there', async ({ browser }) => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true, locale: 'zh-CN' });
  await enter(context, 'alarm');
  const page = await context.newPage();
  await page.goto('/nodes');
  const bar = page.locator('.bar');
  await expect(bar).toContainText('2 号房');
  const box = await bar.getByRole('button', { name: '确认' }).boundingBox();
  expect(box?.height).toBeGreaterThanOrEqual(48);
  await bar.getByRole('button', { name: '确认' }).tap();
  await page.getByRole('dialog').getByLabel('备注').fill('手动喷雾了');
  await page.getByRole('dialog').getByRole('button', { name: '确认' }).tap();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(bar).not.toContainText('2 号房');
  await page.goto('/alarms/a-1042');
  await expect(page.getByText('手动喷雾了')).toBeVisible();
  await expect(page.locator('.answer')).toContainText('technician');
  await context.close();
});

test('a comment lands on the timeline', async ({ context, page }) => {
  await enter(context, 'alarm');
  await page.goto('/alarms/a-1041');
  await page.getByLabel('Comment').fill('Battery is being changed');
  await page.getByRole('button', { name: 'Add comment' }).click();
  await expect(page.getByRole('listitem').filter({ hasText: 'Battery is being changed' })).toContainText('technician');
});

test('a viewer sees alarms but no button to answer them', async ({ context, page }) => {
  await enter(context, 'alarm', 'viewer');
  await page.goto('/alarms');
  await expect(page.locator('[data-alarm]').first()).toBeVisible();
  await expect(page.getByRole('button', { name: /^Acknowledge/u })).toHaveCount(0);
  await page.goto('/alarms/a-1038');
  await expect(page.getByText('may look but not acknowledge')).toBeVisible();
  await expect(page.getByLabel('Comment')).toHaveCount(0);
});

test('a new alarm comes by itself, to the page, its title and the ear', async ({ context, page }) => {
  await enter(context, 'alarm');
  await page.goto('/alarms');
  await expect(page.locator('[data-alarm]').first()).toBeVisible();
  const { id } = (await (await context.request.get('/fixture/raise')).json()) as { id: string };
  await expect(page.locator(`[data-alarm="${id}"]`)).toBeVisible();
  await expect(page.getByRole('alert')).toContainText('above the limit of 35');
  await expect(page).toHaveTitle(/^\(\d+\) Alarms/u);
});

test('a house page is restored from its address and drawn live', async ({ context, page }) => {
  const wrong = complaints(page);
  await enter(context, 'drift');
  await page.goto('/houses/nanchuan/house-2?span=7d');
  await expect(page.getByRole('button', { name: '7 d', exact: true })).toHaveAttribute('aria-pressed', 'true');
  await page.getByRole('button', { name: '6 h', exact: true }).click();
  await expect(page).toHaveURL(/span=6h/u);
  await page.goBack();
  await expect(page).toHaveURL(/span=7d/u);

  const plot = page.locator('.u-over').first();
  await expect(plot).toBeVisible();
  const box = await plot.boundingBox();
  if (!box) throw new Error('no plot');
  await page.mouse.move(box.x + box.width * 0.3, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 70, { steps: 6 });
  await page.mouse.up();
  await expect(page).toHaveURL(/from=.*&to=/u);
  const spanOf = (): number => {
    const query = new URL(page.url()).searchParams;
    return Date.parse(query.get('to') ?? '') - Date.parse(query.get('from') ?? '');
  };
  const dragged = spanOf();
  expect(dragged / 86_400_000).toBeCloseTo(2.1, 0);

  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -200);
  await page.keyboard.up('Control');
  await expect.poll(spanOf).toBeLessThan(dragged);
  await page.getByRole('button', { name: 'Back to now' }).click();
  await expect(page).not.toHaveURL(/from=/u);
  expect(wrong).toEqual([]);
});

test('two fingers zoom a chart on a phone, one reads it', async ({ browser }) => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await enter(context, 'drift');
  const page = await context.newPage();
  await page.goto('/houses/nanchuan/house-1');
  const plot = page.locator('.u-over').first();
  await expect(plot).toBeVisible();
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  if (!box) throw new Error('no plot');
  const y = box.y + box.height / 2;
  const client = await context.newCDPSession(page);
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', xs: number[]): Promise<unknown> =>
    client.send('Input.dispatchTouchEvent', { type, touchPoints: xs.map((x, id) => ({ x, y, id })) });
  const middle = box.x + box.width / 2;
  await touch('touchStart', [middle]);
  await touch('touchEnd', []);
  await expect(page.locator('.cursor').first()).toBeVisible();
  await touch('touchStart', [middle - 20, middle + 20]);
  for (const apart of [30, 45, 60, 80]) await touch('touchMove', [middle - apart, middle + apart]);
  await touch('touchEnd', []);
  await expect(page).toHaveURL(/from=/u);
  const query = new URL(page.url()).searchParams;
  const hours = (Date.parse(query.get('to') ?? '') - Date.parse(query.get('from') ?? '')) / 3_600_000;
  expect(hours).toBeGreaterThan(4);
  expect(hours).toBeLessThan(9);
  await context.close();
});

test('the cursor is shared by all charts and moves by keys', async ({ context, page }) => {
  await enter(context, 'drift');
  await page.goto('/houses/nanchuan/house-1');
  const chart = page.getByRole('slider').first();
  await expect(chart).toHaveAttribute('aria-valuetext', /Lowest/u);
  await chart.focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Shift+ArrowLeft');
  await expect(page.locator('.cursor')).toHaveCount(6);
  const before = await chart.getAttribute('aria-valuetext');
  expect(before).toMatch(/°C/u);
  await page.keyboard.press('Shift+ArrowLeft');
  await expect(chart).not.toHaveAttribute('aria-valuetext', before ?? '');
  await page.keyboard.press('Escape');
  await expect(page.locator('.cursor')).toHaveCount(0);
});

test('a chart can be read as a table', async ({ context, page }) => {
  await enter(context, 'drift');
  await page.goto('/houses/nanchuan/house-1');
  await page.getByRole('button', { name: 'Carbon dioxide: Table' }).click();
  const table = page.getByRole('table');
  await expect(table.getByRole('row')).toHaveCount(25);
  await expect(table).toContainText('missing');
});

test('search is a slash away and finds by either language', async ({ context, page }) => {
  await enter(context, 'calm');
  await page.goto('/nodes');
  await expect(page.getByRole('table')).toBeVisible();
  await page.keyboard.press('/');
  await page.keyboard.type('黄连');
  await expect(page.getByRole('option').first()).toContainText('House 4');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/house-4/u);
});

test('everything on the overview is reached by the keyboard alone', async ({ context, page }) => {
  await enter(context, 'alarm');
  await page.goto('/');
  await expect(page.locator('[data-zone]').first()).toBeVisible();
  const reached = new Set<string>();
  for (let n = 0; n < 40; n += 1) {
    await page.keyboard.press('Tab');
    reached.add(await page.evaluate(() => document.activeElement?.getAttribute('data-zone') ?? document.activeElement?.textContent?.trim().slice(0, 20) ?? ''));
  }
  for (const zone of ['house-1', 'house-2', 'house-3', 'house-4', 'house-5']) expect(reached).toContain(zone);
  await page.keyboard.press('Shift+Tab');
});

test('language and appearance stay chosen', async ({ context, page }) => {
  await enter(context, 'calm');
  await page.goto('/settings');
  await page.getByRole('button', { name: '中文' }).first().click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('设置');
  await page.getByRole('button', { name: '深色', exact: true }).click();
  await page.reload();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('设置');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN');
});

test('ages are right although the clock is ahead of this machine and ten times as fast', async ({ context, page }) => {
  await enter(context, 'calm');
  await page.goto('/settings');
  const clock = page.getByText(/2027/u);
  await expect(clock).toBeVisible();
  const read = async (): Promise<number> => Date.parse(`${(await clock.textContent()) ?? ''} UTC`);
  const first = await read();
  await page.waitForTimeout(3_000);
  const passed = (await read()) - first;
  expect(passed).toBeGreaterThan(20_000);
  expect(passed).toBeLessThan(45_000);
});

test('a lost gateway is said, with the age of what is shown, and comes back by itself', async ({ context, page }) => {
  await enter(context, 'calm');
  await page.goto('/');
  await expect(page.locator('[data-zone]').first()).toBeVisible();
  await context.request.get('/fixture/refuse?ms=2500');
  await expect(page.getByText('The connection to the gateway is lost')).toBeVisible();
  await expect(page.locator('[data-zone]')).toHaveCount(5);
  await expect(page.getByText('The connection to the gateway is lost')).toHaveCount(0, { timeout: 15_000 });
});
