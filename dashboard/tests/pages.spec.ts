// Every page, in both languages, light and dark, on a phone and on a desk: it has its heading, nothing
// is refused or broken, nothing runs off the side, and axe finds no fault.
import { expect, test } from '@playwright/test';

import { complaints, enter, expectAccessible, expectNoSideways, LOCALES, LOOKS } from './helpers';

const PAGES = [
  { path: '/', zh: '总览', en: 'Overview' },
  { path: '/houses/nanchuan/house-2', zh: '2 号房', en: 'House 2' },
  { path: '/alarms', zh: '报警', en: 'Alarms' },
  { path: '/alarms?show=all', zh: '报警', en: 'Alarms' },
  { path: '/alarms/a-1042', zh: '空气湿度过低', en: 'Relative humidity too low' },
  { path: '/compare?batches=nanchuan/blueberry-0412,nanchuan/blueberry-0328', zh: '批次比较', en: 'Compare batches' },
  { path: '/sheet?date=2027-05-17', zh: '日报', en: 'daily sheet' },
  { path: '/nodes', zh: '节点', en: 'Nodes' },
  { path: '/settings', zh: '设置', en: 'Settings' },
];

for (const { locale, colorScheme, width } of LOOKS) {
  test(`pages in ${locale}, ${colorScheme}, ${width} px`, async ({ browser }) => {
    test.setTimeout(90_000);
    const context = await browser.newContext({ locale, colorScheme, viewport: { width, height: width < 768 ? 844 : 900 } });
    await enter(context, 'alarm');
    const page = await context.newPage();
    const wrong = complaints(page);
    for (const { path, zh, en } of PAGES) {
      await page.goto(path);
      await expect(page.getByRole('heading', { level: 1 })).toContainText(locale === 'zh-CN' ? zh : en);
      if (path.startsWith('/houses')) await expect(page.getByRole('slider')).toHaveCount(7);
      await expectNoSideways(page);
      if (width !== 820) await expectAccessible(page);
    }
    expect(wrong).toEqual([]);
    await context.close();
  });
}

test('the door in both languages, with a first password to change', async ({ browser }) => {
  for (const locale of LOCALES) {
    const context = await browser.newContext({ locale, viewport: { width: 390, height: 844 } });
    const page = await context.newPage();
    await page.goto('/nodes');
    await expectAccessible(page);
    const words = locale === 'zh-CN' ? { user: '用户名', password: '密码', enter: '登录', wrong: '用户名或密码不对' } : { user: 'User', password: 'Password', enter: 'Sign in', wrong: 'User or password is wrong' };
    await page.getByLabel(words.user, { exact: true }).fill('technician');
    await page.getByLabel(words.password, { exact: true }).fill('guess');
    await page.getByRole('button', { name: words.enter }).click();
    await expect(page.getByRole('alert')).toContainText(words.wrong);
    await context.addCookies([{ name: 'first', value: '1', url: page.url() }]);
    await page.getByLabel(words.password, { exact: true }).fill('seedling');
    await page.getByRole('button', { name: words.enter }).click();
    await expect(page.locator('input[name=new]')).toBeVisible();
    await expectAccessible(page);
    await page.locator('input[name=new]').fill('short');
    await page.locator('input[name=again]').fill('short');
    await page.locator('button[type=submit]').click();
    await expect(page.getByRole('alert')).toBeVisible();
    await page.locator('input[name=new]').fill('green mountain tea');
    await page.locator('input[name=again]').fill('green mountain tea');
    await page.locator('button[type=submit]').click();
    await expect(page.getByRole('heading', { level: 1 })).toContainText(locale === 'zh-CN' ? '节点' : 'Nodes');
    await context.close();
  }
});

test('empty states say what to do next', async ({ context, page }) => {
  await enter(context, 'empty');
  await page.goto('/');
  await expect(page.getByText('miaopu apply')).toBeVisible();
  await page.goto('/nodes');
  await expect(page.getByText('miaopu node add')).toBeVisible();
  await expectAccessible(page);
  await page.goto('/nowhere');
  await expect(page.getByRole('link', { name: 'Back to the overview' })).toBeVisible();
});

test('all well is one calm line', async ({ context, page }) => {
  await enter(context, 'calm');
  await page.goto('/');
  await expect(page.getByText('All is well · 5 houses · oldest reading')).toBeVisible();
  await expect(page.locator('[data-zone]')).toHaveCount(5);
  await expectAccessible(page);
});
