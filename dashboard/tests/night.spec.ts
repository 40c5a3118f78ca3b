// The technician's night and the grower's morning: a message's link, shelving, notes, the overview in
// one look, limits to confirm, batches compared, and the day on paper.
import { expect, test, type Browser, type BrowserContext, type Page } from '@playwright/test';

import { complaints, enter, expectAccessible, expectNoSideways, LOCALES, visit, type Scenario } from './helpers';

const SIZES = [390, 1440] as const;

type Visit = { context: BrowserContext; page: Page; wrong: string[] };

async function open(browser: Browser, locale: string, width: number, scenario: Scenario, user: string | null): Promise<Visit> {
  const context = await browser.newContext({ locale, viewport: { width, height: width < 768 ? 844 : 900 }, hasTouch: width < 768 });
  if (user === null) await visit(context, scenario);
  else await enter(context, scenario, user);
  const page = await context.newPage();
  return { context, page, wrong: complaints(page) };
}

for (const locale of LOCALES) {
  const zh = locale === 'zh-CN';
  const say = (chinese: string, english: string): string => (zh ? chinese : english);
  for (const width of SIZES) {
    test.describe(`in ${locale} at ${width} px`, () => {
      test('a link from a message acknowledges in one tap, without signing in', async ({ browser }) => {
        const { context, page, wrong } = await open(browser, locale, width, 'alarm', null);
        await page.goto('/answer#fresh');
        await expect(page.getByRole('heading', { level: 1 })).toHaveText(say('空气湿度过低', 'Relative humidity too low'));
        await expect(page).toHaveURL(/\/answer$/u);
        await expect(page.locator('.head')).toContainText('%');
        await expect(page.locator('.head')).toContainText(say('已', 'for '));
        await expect(page.locator('.advice')).toContainText(say('喷雾', 'mist'));
        await expectNoSideways(page);
        await expectAccessible(page);
        const button = page.getByRole('button', { name: say('确认收到', 'Acknowledge') });
        const box = await button.boundingBox();
        expect(box?.height).toBeGreaterThanOrEqual(64);
        expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(width < 768 ? 844 : 900);
        await button.click();
        await expect(page.getByRole('status')).toContainText(say('已确认', 'Acknowledged'));
        await expect(page.getByRole('link', { name: say('打开报警页', 'Open the alarm') })).toHaveAttribute('href', '/alarms/a-1042');
        await expectAccessible(page);
        expect(wrong).toEqual([]);
        await page.goto('/nowhere');
        await page.goto('/answer#fresh');
        await expect(page.getByText(say('wang.wei 已于', 'wang.wei acknowledged it'))).toBeVisible();
        await context.close();
      });

      test('a link that can do nothing any more says so and what to do', async ({ browser }) => {
        const { context, page } = await open(browser, locale, width, 'alarm', null);
        const cases = [
          ['used', '这个链接已经用过', 'This link was used already'],
          ['old', '这个链接已过期', 'This link has expired'],
          ['guess', '这个链接认不出来', 'This link is not known'],
          ['busy', '这个链接现在不能确认', 'This link cannot acknowledge now'],
          ['settled', '已有人确认', 'Somebody has it already'],
          ['', '链接不完整', 'The link is not complete'],
        ] as const;
        for (const [token, chinese, english] of cases) {
          await page.goto('/nowhere');
          await page.goto(`/answer#${token}`);
          await expect(page.getByRole('status').getByRole('heading').first()).toHaveText(say(chinese, english));
          await expect(page.getByRole('button', { name: say('确认收到', 'Acknowledge') })).toHaveCount(0);
          await expect(page.getByRole('link').last()).toHaveAttribute('href', /^\/alarms/u);
          await expectAccessible(page);
        }
        await context.close();
      });

      test('an alarm is shelved in two taps with a reason, stands apart, and comes back', async ({ browser }) => {
        const { context, page, wrong } = await open(browser, locale, width, 'alarm', 'technician');
        await page.goto('/alarms');
        const row = page.locator('[data-alarm="a-1042"]');
        await row.getByRole('button', { name: say('搁置', 'Shelve') }).click();
        const dialog = page.getByRole('dialog');
        await expect(dialog.getByRole('button', { name: say('1 小时', '1 h') })).toHaveAttribute('aria-pressed', 'true');
        await expectAccessible(page);
        await dialog.getByRole('button', { name: say('正在处理', 'Being worked on') }).click();
        await expect(dialog).toHaveCount(0);
        await expect(row).not.toBeVisible();
        await expect(page.locator('.bar')).toHaveCount(0);
        await page.locator('summary').filter({ hasText: say('已搁置', 'Shelved') }).click();
        await expect(row).toContainText(say('technician：正在处理', 'technician: Being worked on'));
        await expectAccessible(page);
        await page.goto('/alarms/a-1042');
        await expect(page.locator('.shelf')).toContainText(say('搁置到', 'Shelved until'));
        await expect(page.getByRole('listitem').filter({ hasText: say('正在处理', 'Being worked on') })).toContainText('technician');
        await page.getByRole('button', { name: say('取消搁置', 'Unshelve') }).click();
        await expect(page.locator('.shelf')).toHaveCount(0);
        await expect(page.getByRole('button', { name: say('搁置', 'Shelve'), exact: true })).toBeVisible();
        expect(wrong).toEqual([]);
        await context.close();
      });

      test('an alarm page says who was told, and a note waits for the morning', async ({ browser }) => {
        const { context, page, wrong } = await open(browser, locale, width, 'alarm', 'technician');
        await page.goto('/alarms/a-1042');
        const messages = page.getByRole('listitem');
        await expect(messages.filter({ hasText: 'hooks.example.org' })).toContainText('503 Service Unavailable');
        await expect(messages.filter({ hasText: 'li.na' })).toContainText(say('下次', 'next try'));
        const box = page.getByRole('textbox', { name: say('留言', 'Note') });
        await box.fill('Replace the valve coil');
        await page.getByRole('button', { name: say('留下', 'Leave it') }).click();
        await expect(box).toHaveValue('');
        await expect(page.getByRole('listitem').filter({ hasText: 'Replace the valve coil' })).toContainText('technician');
        await expectAccessible(page);
        await page.goto('/');
        const note = page.locator('.notes li').filter({ hasText: 'Replace the valve coil' });
        await expect(note).toContainText('technician');
        await note.getByRole('button').click();
        await expect(note).toHaveCount(0);
        expect(wrong).toEqual([]);
        await context.close();
      });

      test('a calm morning is one line; a night is told below it', async ({ browser }) => {
        const calm = await open(browser, locale, width, 'calm', 'grower');
        await calm.page.goto('/');
        await expect(calm.page.locator('.line.calm')).toHaveText(zh ? /^\s*一切正常 · 5 个棚 · 最旧读数 /u : /^\s*All is well · 5 houses · oldest reading /u);
        await expect(calm.page.locator('[data-zone]')).toHaveCount(5);
        await expect(calm.page.locator('.morning')).toHaveCount(0);
        await expectNoSideways(calm.page);
        await expectAccessible(calm.page);
        await calm.context.close();

        const night = await open(browser, locale, width, 'night', 'grower');
        await night.page.goto('/');
        await expect(night.page.locator('.line.calm')).toBeVisible();
        const told = night.page.locator('[data-night]');
        await expect(told).toHaveCount(2);
        await expect(told.first()).toContainText('23:40');
        await expect(told.first()).toContainText(say('持续 57 分钟', 'lasted 57 min'));
        await expect(told.first()).toContainText(say('极值 33.8', 'worst 33.8'));
        await expect(told.first()).toContainText('wang.wei');
        await expectNoSideways(night.page);
        await expectAccessible(night.page);
        expect([...calm.wrong, ...night.wrong]).toEqual([]);
        await night.context.close();
      });

      test('a bad morning says what is wrong now first, the worst first, with its age', async ({ browser }) => {
        const { context, page, wrong } = await open(browser, locale, width, 'alarm', 'grower');
        await page.goto('/');
        const now = page.locator('section[aria-labelledby="wrong-now"] li');
        await expect(now).toHaveCount(5);
        await expect(now.first()).toContainText(say('2 号房', 'House 2'));
        await expect(now.first()).toContainText(say('秒前', 's ago'));
        const tops = await Promise.all(['#wrong-now', '#in-the-night', '#notes', '.tiles'].map(async (one) => (await page.locator(one).boundingBox())?.y ?? 0));
        expect([...tops].sort((a, b) => a - b)).toEqual(tops);
        await expectAccessible(page);
        expect(wrong).toEqual([]);
        await context.close();
      });

      test('a house names its batches, and a grower confirms a limit with a reason', async ({ browser }) => {
        const { context, page, wrong } = await open(browser, locale, width, 'drift', 'grower');
        await page.goto('/houses/nanchuan/house-2?span=stage');
        await expect(page.getByRole('listitem').filter({ hasText: '蓝莓 0412' })).toContainText(say('决定适宜范围', 'Sets the bands'));
        await expect(page.getByRole('button', { name: say('本阶段', 'Stage'), exact: true })).toHaveAttribute('aria-pressed', 'true');
        await expectNoSideways(page);
        const limit = page.locator('.confirm').filter({ hasText: '< 73' });
        await limit.getByRole('button').click();
        const dialog = page.getByRole('dialog');
        await expect(dialog).toContainText(say('低于 73', 'below 73'));
        await expect(dialog).toContainText('Lieth 2008');
        await expect(dialog.getByRole('button', { name: say('确认并开始叫醒', 'Confirm and wake people') })).toBeDisabled();
        await expectAccessible(page);
        await dialog.getByRole('textbox').fill('Measured here last season');
        await dialog.getByRole('button', { name: say('确认并开始叫醒', 'Confirm and wake people') }).click();
        await expect(limit).toContainText(say('grower 已确认', 'confirmed by grower'));
        expect(wrong).toEqual([]);
        await context.close();
      });

      test('two batches are compared from their start, and the address brings it back', async ({ browser }) => {
        const { context, page, wrong } = await open(browser, locale, width, 'calm', 'grower');
        await page.goto('/compare');
        const add = page.getByRole('combobox', { name: say('加一个批次', 'Add a batch'), exact: true });
        await add.selectOption('nanchuan/blueberry-0412');
        await add.selectOption('nanchuan/blueberry-0328');
        await expect(page).toHaveURL(/batches=nanchuan\/blueberry-0412,nanchuan\/blueberry-0328/u);
        await expect(page.locator('.end')).toHaveText(['蓝莓 0412', '蓝莓 0328']);
        const first = page.locator('tbody tr').first();
        await expect(first).toContainText(say('低于适宜', 'below the band'));
        await expect(page.locator('.honest')).toContainText(say('不等于原因', 'not yet a cause'));
        await page.getByRole('combobox', { name: say('量', 'Quantity'), exact: true }).selectOption('relative_humidity');
        await expect(page).toHaveURL(/quantity=relative_humidity/u);
        await expect(page.getByRole('slider')).toHaveAttribute('aria-label', new RegExp(say('空气湿度', 'Relative humidity'), 'u'));
        await page.getByRole('combobox', { name: say('阶段', 'Stage'), exact: true }).selectOption('harden');
        await page.getByRole('slider').focus();
        await page.keyboard.press('+');
        await expect(page).toHaveURL(/days=/u);
        await page.reload();
        await expect(page.locator('.end')).toHaveCount(2);
        await expect(page.getByRole('combobox', { name: say('阶段', 'Stage'), exact: true })).toHaveValue('harden');
        await expectNoSideways(page);
        await expectAccessible(page);
        await page.getByRole('button', { name: say('移除 蓝莓 0328', 'Remove 蓝莓 0328') }).click();
        await expect(page.getByText(say('再选一个批次', 'Choose one more batch'))).toBeVisible();
        expect(wrong).toEqual([]);
        await context.close();
      });

      test('a day is one sheet, with the days beside it', async ({ browser }) => {
        const { context, page, wrong } = await open(browser, locale, width, 'alarm', 'grower');
        await page.goto('/');
        await page.getByRole('link', { name: say('日报', 'Daily sheet') }).click();
        await expect(page.getByRole('heading', { level: 1 })).toContainText(say('日报', 'daily sheet'));
        await expect(page.getByText(say('当天尚未结束', 'The day is not over'))).toBeVisible();
        await expect(page.getByRole('button', { name: say('后一天', 'Day after') })).toBeDisabled();
        await page.getByRole('button', { name: say('前一天', 'Day before') }).click();
        await expect(page).toHaveURL(/date=2027-05-17/u);
        await expect(page.locator('.date')).toContainText(say('2027年5月17日', '17 May 2027'));
        await expect(page.locator('.zone table')).toHaveCount(5);
        await expectNoSideways(page);
        await expectAccessible(page);
        await page.emulateMedia({ media: 'print' });
        for (const gone of ['nav', '.tools', '.top', '.bar']) await expect(page.locator(gone).first()).not.toBeVisible();
        const pdf = (await page.pdf({ preferCSSPageSize: true })).toString('latin1');
        const [, wide, high] = /\/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]/u.exec(pdf) ?? [];
        expect(Number(wide)).toBeCloseTo(595, 0);
        expect(Number(high)).toBeCloseTo(842, 0);
        expect(wrong).toEqual([]);
        await context.close();
      });
    });
  }
}

test('a link opens again where the network was away, and says that nothing is acknowledged yet', async ({ context, page }) => {
  await visit(context, 'alarm');
  await page.route('**/api/v1/answers', (route) => route.abort());
  await page.goto('/answer#fresh');
  await page.getByRole('button', { name: 'Acknowledge' }).click();
  await expect(page.getByText('not acknowledged yet')).toBeVisible();
  await page.unroute('**/api/v1/answers');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('status')).toContainText('Acknowledged');
});

test('a link that is opened in the same tab is read as well', async ({ context, page }) => {
  await visit(context, 'alarm');
  await page.goto('/answer');
  await expect(page.getByRole('heading', { name: 'The link is not complete' })).toBeVisible();
  await page.evaluate(() => (location.hash = '#fresh'));
  await expect(page.getByRole('button', { name: 'Acknowledge' })).toBeVisible();
});

test('the phone bar shelves too, and a shelving needs an end within a day', async ({ browser }) => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true, locale: 'en-GB' });
  await enter(context, 'alarm');
  const page = await context.newPage();
  await page.goto('/nodes');
  const bar = page.locator('.bar');
  await bar.getByRole('button', { name: 'Shelve' }).tap();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Until…' }).tap();
  await dialog.getByLabel('End, within 24 hours').fill('2027-05-25T06:00');
  await dialog.getByRole('button', { name: 'Sensor in service' }).tap();
  await expect(dialog.getByRole('alert')).toContainText('within 24 hours');
  await dialog.getByRole('button', { name: 'Until morning' }).tap();
  await expect(dialog).toContainText('19 May 06:30');
  await dialog.getByRole('button', { name: 'Sensor in service' }).tap();
  await expect(dialog).toHaveCount(0);
  await expect(bar).not.toContainText('House 2');
  await context.close();
});

test('a viewer may look at everything here and change nothing', async ({ context, page }) => {
  await enter(context, 'alarm', 'viewer');
  await page.goto('/alarms');
  await expect(page.locator('[data-alarm]').first()).toBeVisible();
  await expect(page.getByRole('button', { name: /Shelve/u })).toHaveCount(0);
  await page.goto('/');
  await expect(page.locator('.notes li').first()).toBeVisible();
  await expect(page.getByRole('button', { name: /Put away|Leave a note/u })).toHaveCount(0);
  await page.goto('/houses/nanchuan/house-2');
  await expect(page.locator('.confirm').first()).toBeVisible();
  await expect(page.getByRole('button', { name: /Confirm for this nursery/u })).toHaveCount(0);
});
