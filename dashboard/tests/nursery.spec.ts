// What growers and researchers do: batches, germplasm, a study in five clicks, the first hour, people;
// each page in both languages, on a phone and on a desk.
import { readFileSync } from 'node:fs';

import { expect, test, type Page } from '@playwright/test';
import { unzipSync } from 'fflate';

import { complaints, enter, expectAccessible, expectNoSideways, LOOKS, type Scenario } from './helpers';

const CLICKS_MAX = 5;
const MCPD = [
  'INSTCODE,ACCENUMB,GENUS,SPECIES,LATITUDE,ORIGCTY',
  'CHN118,NC-9001,Camellia,sinensis,290925N,CHN',
  ',NC-9002,Camellia,sinensis,290925N,CHN',
  'CHN118,NC-9003,Camellia,sinensis,290960N,CHN',
  'CHN118,NC-9004,Oryza,sativa,290925N,CHN',
].join('\n');

const PAGES: { path: string; user: string; scenario: Scenario; zh: string; en: string }[] = [
  { path: '/batches', user: 'grower', scenario: 'calm', zh: '批次', en: 'Batches' },
  { path: '/batches', user: 'viewer', scenario: 'empty', zh: '批次', en: 'Batches' },
  { path: '/batches/new', user: 'grower', scenario: 'calm', zh: '新批次', en: 'New batch' },
  { path: '/batches/nanchuan/blueberry-0412', user: 'grower', scenario: 'calm', zh: '蓝莓 0412', en: '蓝莓 0412' },
  { path: '/germplasm', user: 'researcher', scenario: 'calm', zh: '种质', en: 'Germplasm' },
  { path: '/germplasm/1', user: 'grower', scenario: 'calm', zh: '大树茶 1 号', en: '大树茶 1 号' },
  { path: '/germplasm/import', user: 'researcher', scenario: 'calm', zh: '导入种质', en: 'Import accessions' },
  { path: '/export?batch=nanchuan/blueberry-0412', user: 'researcher', scenario: 'calm', zh: '研究导出', en: 'Study export' },
  { path: '/start?step=zone', user: 'admin', scenario: 'calm', zh: '建立苗房', en: 'Make a house' },
  { path: '/', user: 'admin', scenario: 'empty', zh: '建立站点', en: 'Make a site' },
  { path: '/settings', user: 'admin', scenario: 'calm', zh: '设置', en: 'Settings' },
  { path: '/trust', user: 'nobody', scenario: 'calm', zh: '信任这个网关', en: 'Trust this gateway' },
];

for (const { locale, colorScheme, width } of LOOKS.filter(({ width }) => width !== 820)) {
  test(`nursery pages in ${locale}, ${colorScheme}, ${width} px`, async ({ browser }) => {
    test.setTimeout(120_000);
    const context = await browser.newContext({ locale, colorScheme, viewport: { width, height: width < 768 ? 844 : 900 } });
    const page = await context.newPage();
    const wrong = complaints(page);
    for (const { path, user, scenario, zh, en } of PAGES) {
      await enter(context, scenario, user);
      await page.goto(path);
      await expect(page.getByRole('heading', { level: 1 })).toContainText(locale === 'zh-CN' ? zh : en);
      await page.waitForLoadState('networkidle').catch(() => undefined);
      await expectNoSideways(page);
      await expectAccessible(page);
    }
    expect(wrong).toEqual([]);
    await context.close();
  });
}

/** Counts what a hand does: presses of the mouse or the finger. */
async function countClicks(page: Page): Promise<() => number> {
  let clicks = 0;
  await page.exposeFunction('counted', () => {
    clicks += 1;
  });
  await page.addInitScript(() => {
    addEventListener('click', (event) => {
      if (event.isTrusted && event.detail > 0) void (globalThis as unknown as { counted: () => void }).counted();
    }, true);
  });
  return () => clicks;
}

for (const width of [390, 1440] as const) {
  test(`a researcher has two batches' study on disk in five clicks at ${width} px`, async ({ browser }) => {
    const context = await browser.newContext({ locale: 'en-GB', viewport: { width, height: 844 } });
    await enter(context, 'calm', 'researcher');
    const page = await context.newPage();
    const clicks = await countClicks(page);
    await page.goto('/');
    await expect(page.locator('[data-zone]').first()).toBeVisible();
    if (width < 768) await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('link', { name: 'Export' }).locator('visible=true').click();
    await page.getByRole('checkbox', { name: '蓝莓 0412' }).check();
    await page.getByRole('checkbox', { name: '蓝莓 0328' }).check();
    await expect(page.getByText('Exposure by stage')).toBeVisible();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download the ZIP' }).click()]);
    expect(clicks()).toBeLessThanOrEqual(CLICKS_MAX);
    expect(clicks()).toBeGreaterThan(3);
    const files = Object.keys(unzipSync(readFileSync(await download.path())));
    expect(files).toContain('exposure.csv');
    expect(files).toContain('SHA256SUMS');
    await page.getByRole('button', { name: 'Python' }).click();
    await expect(page.getByRole('group', { name: 'Python' })).toContainText('blueberry-0328');
    await expect(page).toHaveURL(/batch=.*blueberry-0412.*batch=.*blueberry-0328/u);
    await context.close();
  });
}

test('from a batch its study is two clicks away', async ({ context, page }) => {
  await enter(context, 'calm', 'researcher');
  await page.goto('/batches/nanchuan/tea-0310');
  await page.getByRole('link', { name: 'Export this batch' }).click();
  await expect(page.getByRole('checkbox', { name: '大树茶 0310' })).toBeChecked();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download the ZIP' }).click()]);
  expect(download.suggestedFilename()).toBe('study.zip');
});

test('a batch is made, moved, taken on and closed with a reason', async ({ context, page }) => {
  const wrong = complaints(page);
  await enter(context, 'calm', 'grower');
  await page.goto('/germplasm/1');
  await page.getByRole('link', { name: 'New batch from this accession' }).click();
  await page.locator('[name=crop]').selectOption('tea');
  await page.locator('[name=method]').selectOption('main');
  await page.locator('[name=zone]').selectOption('nanchuan/house-3');
  await page.locator('[name=label]').fill('Tea spring 2027');
  await expect(page.locator('[name=batch]')).toHaveValue('tea-spring-2027');
  await page.locator('[name=plants]').fill('240');
  await page.getByRole('button', { name: 'Add the batch' }).click();
  await expect(page).toHaveURL(/\/batches\/nanchuan\/tea-spring-2027/u);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Tea spring 2027');
  await expect(page.getByRole('link', { name: 'CHN118:NC-1001' })).toBeVisible();

  await page.getByRole('button', { name: 'On to “hardening”' }).click();
  await page.getByRole('button', { name: 'Change stage' }).click();
  await expect(page.getByRole('listitem').filter({ hasText: 'hardening' }).first()).toHaveAttribute('aria-current', 'step');

  await page.getByRole('button', { name: 'Move', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Move', exact: true }).click();
  await expect(dialog.getByRole('alert')).toContainText('stands there already');
  await dialog.locator('[name=zone]').selectOption('nanchuan/house-1');
  await dialog.getByRole('button', { name: 'Move', exact: true }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByText('moved to House 1')).toBeVisible();

  await page.getByRole('button', { name: 'Close', exact: true }).click();
  await dialog.getByRole('button', { name: 'Close the batch' }).click();
  await expect(dialog.getByRole('alert')).toContainText('Say why');
  await dialog.locator('[name=reason]').fill('212 dispatched');
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'Close the batch' }).click();
  await expect(page.getByText('212 dispatched').first()).toBeVisible();
  await expect(page.getByRole('button', { name: 'Move', exact: true })).toHaveCount(0);
  expect(wrong).toEqual([]);
});

test('two batches are chosen and compared', async ({ context, page }) => {
  await enter(context, 'calm', 'viewer');
  await page.goto('/batches');
  await page.getByRole('checkbox', { name: '蓝莓 0412' }).check();
  await expect(page.getByText('Choose one more to compare')).toBeVisible();
  await page.getByRole('checkbox', { name: '蓝莓 0328' }).check();
  await page.getByRole('link', { name: 'Compare' }).click();
  await expect(page).toHaveURL(/\/compare\?batches=nanchuan\/blueberry-0412,nanchuan\/blueberry-0328/u);
});

test('an MCPD file is checked, its faults named, and all but the faulty rows imported', async ({ context, page }) => {
  const wrong = complaints(page);
  await enter(context, 'calm', 'researcher');
  await page.goto('/germplasm/import');
  await page.locator('input[type=file]').setInputFiles({ name: 'mcpd.csv', mimeType: 'text/csv', buffer: Buffer.from(MCPD) });
  await expect(page.getByRole('heading', { name: '2 of 4 rows are faulty' })).toBeVisible();
  const faults = page.getByRole('table');
  await expect(faults.getByRole('row')).toHaveCount(3);
  await expect(faults).toContainText('290960N');
  await expectAccessible(page);
  const [list] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download the faults as CSV' }).click()]);
  expect(readFileSync(await list.path(), 'utf8')).toContain('4,LATITUDE,290960N');
  await page.getByRole('button', { name: 'Import nothing until fixed' }).click();
  await expect(page.getByText('Drop a CSV file here')).toBeVisible();

  await page.locator('input[type=file]').setInputFiles({ name: 'mcpd.csv', mimeType: 'text/csv', buffer: Buffer.from(MCPD) });
  await page.getByRole('button', { name: 'Import all but the faulty rows (2)' }).click();
  await expect(page.getByRole('heading', { name: '2 accessions imported' })).toBeVisible();
  await page.goto('/germplasm?search=NC-900');
  await expect(page.getByText('2 found')).toBeVisible();
  expect(wrong).toEqual([]);
});

test('accessions are found, paged and exported', async ({ context, page }) => {
  await enter(context, 'calm', 'researcher');
  await page.goto('/germplasm');
  const rows = page.getByRole('list', { name: 'Germplasm' }).getByRole('listitem');
  await expect(rows).toHaveCount(50);
  await page.getByRole('button', { name: 'Show 50 more' }).click();
  await expect(rows).toHaveCount(100);
  await page.getByRole('searchbox').fill('黄连 3 号');
  await expect(rows).toHaveCount(1);
  await expect(page).toHaveURL(/search=/u);
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Export MCPD' }).click()]);
  expect(readFileSync(await file.path(), 'utf8')).toContain('NC-1001');
});

test('the first hour leads from nothing to a reading, and is taken up where it was left', async ({ context, page }) => {
  const wrong = complaints(page);
  await enter(context, 'empty', 'admin');
  await page.goto('/');
  await page.locator('[name=zh]').fill('金佛山苗圃');
  await page.locator('[name=en]').fill('Jinfo nursery');
  await page.locator('[name=latitude]').fill('95');
  await page.locator('[name=longitude]').fill('107°06′E');
  await page.getByRole('button', { name: 'Save the site' }).click();
  await expect(page.getByRole('alert')).toContainText('“95” is no latitude');
  await page.locator('[name=latitude]').fill('29.05');
  await page.getByRole('button', { name: 'Save the site' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Make a house');

  await page.goto('/nodes');
  await page.goto('/');
  await page.locator('[name=zh]').fill('一号棚');
  await page.locator('[name=crop]').selectOption('rice');
  await expect(page.locator('[name=stage]')).toHaveValue('seedling');
  await page.getByRole('button', { name: 'Save the house' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Add a node');
  await page.goto('/');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Add a node');
  await page.getByRole('button', { name: 'Add it and get its secret' }).click();
  await expect(page.getByText('The secret is shown this once')).toBeVisible();
  await expect(page.getByRole('group', { name: 'Secret', exact: true })).toHaveText('q7Hn2vYxW9sKd4TfLm8RbZ3c');
  await expect(page.getByText('miaopu node simulate')).toBeVisible();
  await page.setViewportSize({ width: 390, height: 844 });
  await expectNoSideways(page);
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Next: wait for its first reading' }).click();
  await expect(page.getByText('The first reading is here')).toBeVisible({ timeout: 10_000 });
  await expect(page.getByText('21.4')).toBeVisible();
  await expectAccessible(page);
  await page.getByRole('link', { name: 'Go to the overview' }).click();
  await expect(page.locator('[data-zone]')).toHaveCount(1);
  await page.goto('/start?step=node');
  await expect(page.getByText('q7Hn2vYxW9sKd4TfLm8RbZ3c')).toHaveCount(0);
  expect(wrong).toEqual([]);
});

test('who may not make a nursery is told whom to ask', async ({ context, page }) => {
  await enter(context, 'empty', 'viewer');
  await page.goto('/');
  await expect(page.getByText('A grower or admin who signs in')).toBeVisible();
  await page.goto('/start');
  await expect(page.getByText('are made by growers and admins')).toBeVisible();
  await enter(context, 'calm', 'technician');
  await page.goto('/export');
  await expect(page.getByText('export data. Ask one of them.')).toBeVisible();
  await expect(page.getByRole('link', { name: 'Export', exact: true })).toHaveCount(0);
});

test('an admin adds a person, whose first password is shown once, and removes one', async ({ context, page }) => {
  await enter(context, 'calm', 'admin');
  await page.goto('/settings');
  await page.getByRole('button', { name: 'Add a person' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.locator('[name=user]').fill('wang.wei');
  await dialog.locator('[name=role]').selectOption('researcher');
  await dialog.locator('[name=email]').fill('wang.wei@example.org');
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(page.getByRole('group', { name: 'First password' })).toHaveText(/^(?:[a-z2-9]{4}-){3}[a-z2-9]{4}$/u);
  await page.getByRole('button', { name: 'Noted' }).click();
  await expect(page.getByRole('group', { name: 'First password' })).toHaveCount(0);
  await page.getByRole('button', { name: 'Remove li.na' }).click();
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(page.getByText('li.na@example.org')).toHaveCount(0);
  await page.getByRole('button', { name: 'Send a test' }).click();
  await expect(page.getByText('503 Service Unavailable')).toBeVisible({ timeout: 8_000 });
});

test('a role without the right sees no people, tokens or messages', async ({ context, page }) => {
  await enter(context, 'calm', 'technician');
  await page.goto('/settings');
  await expect(page.getByRole('heading', { name: 'How I am told' })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'People' })).toHaveCount(0);
  await expect(page.getByRole('heading', { name: 'Messages' })).toHaveCount(0);
});

test('search finds batches and accessions too', async ({ context, page }) => {
  await enter(context, 'calm', 'viewer');
  await page.goto('/nodes');
  await expect(page.getByRole('table')).toBeVisible();
  await page.keyboard.press('/');
  await page.keyboard.type('0412');
  await expect(page.getByRole('option').filter({ hasText: '蓝莓 0412' })).toBeVisible();
  await page.getByRole('combobox').fill('NC-1042');
  await page.getByRole('option').filter({ hasText: 'NC-1042' }).click();
  await expect(page).toHaveURL(/\/germplasm\/42$/u);
});

test('the authority is told to whoever asks, in groups that eyes can compare', async ({ page }) => {
  await page.goto('/trust');
  await expect(page.locator('.print code')).toHaveCount(8);
  await expect(page.getByRole('img', { name: /miaopu\.local/u })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Download the certificate' })).toHaveAttribute('href', '/ca.crt');
});

for (const { locale, colorScheme, width } of LOOKS.filter(({ width }) => width !== 820)) {
  test(`a sensor is calibrated in ${locale}, ${colorScheme}, ${width} px`, async ({ browser }) => {
    const context = await browser.newContext({ locale, colorScheme, viewport: { width, height: width < 768 ? 844 : 900 } });
    const page = await context.newPage();
    const wrong = complaints(page);
    const zh = locale === 'zh-CN';
    await enter(context, 'calm', 'technician');
    await page.goto('/houses/nanchuan/house-2');
    await expect(page.getByText(zh ? '由气温与相对湿度计算得出' : 'Computed from air temperature and relative humidity')).toBeVisible();
    await page.getByRole('button', { name: zh ? '传感器校准' : 'Calibrate sensors' }).click();
    const dialog = page.getByRole('dialog');
    await expect(dialog.getByText('li.na')).toBeVisible();
    await expectNoSideways(page);
    await expectAccessible(page);
    const channel = dialog.getByRole('combobox');
    expect(await channel.locator('option').allTextContents()).not.toContain(zh ? '水汽压差' : 'VPD');
    await dialog.getByLabel(zh ? /传感器读数/u : /Sensor says/u).first().fill('25,3');
    await dialog.getByLabel(zh ? /标准值/u : /True value/u).first().fill('25');
    await dialog.getByRole('button', { name: zh ? '录入校准' : 'Enter calibration' }).click();
    await expect(dialog.getByText(zh ? /每个读数加 [-−]0\.30/u : /[-−]0\.30.°C added/u)).toHaveCount(2);
    if (process.env['SHOTS']) await page.screenshot({ path: `${process.env['SHOTS']}/${locale}-${width}.png` });
    await dialog.getByRole('button', { name: zh ? '撤回' : 'Withdraw' }).first().click();
    await dialog.getByLabel(zh ? '撤回的原因' : 'Why it is withdrawn').fill('wrong bench');
    await dialog.getByRole('button', { name: zh ? '撤回' : 'Withdraw' }).first().click();
    await expect(dialog.getByText('wrong bench')).toBeVisible();
    expect(wrong).toEqual([]);
    await context.close();
  });
}
