// The first hour: an empty gateway leads the first sign-in to a site, a house with a crop and its
// stage, a node with its secret, and that node's first reading.
import { spawn, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@playwright/test';

import type { Overview } from '../src/api/types';
import { complaints, expectAccessible, expectNoSideways } from '../tests/helpers';
import { BINARY, startDemo, workFolder } from './gateway';
import { wordsOf } from './words';

test('an empty gateway leads to the first reading', async ({ page }, info) => {
  const say = wordsOf(info);
  const folder = workFolder();
  const gateway = await startDemo(folder, '--empty', '--speed', '1');
  let node: ChildProcess | undefined;
  const sound = async (): Promise<void> => {
    await expectAccessible(page);
    await expectNoSideways(page);
  };
  try {
    await page.goto(gateway.url);
    await page.locator('[name=user]').fill('admin');
    await page.locator('[name=password]').fill(gateway.password);
    await page.getByRole('button', { name: say('signin.submit') }).click();
    await page.locator('input[autocomplete=new-password]').first().fill('a-better-password');
    await page.locator('input[autocomplete=new-password]').last().fill('a-better-password');
    await sound();
    await page.getByRole('button', { name: say('password.submit') }).click();
    const heard = complaints(page);

    await page.locator('[name=zh]').fill('金佛山苗圃');
    await page.locator('[name=en]').fill('Jinfo nursery');
    await page.locator('[name=latitude]').fill('29.05');
    await page.locator('[name=longitude]').fill('107.18');
    await sound();
    await page.getByRole('button', { name: say('start.site.do') }).click();

    // Both forms ask for names: what follows is typed into the house's.
    await expect(page.locator('[name=zone]')).toBeVisible();
    await page.locator('[name=zh]').fill('一号棚');
    await page.locator('[name=en]').fill('House 1');
    await page.locator('[name=crop]').selectOption('tea');
    await page.locator('[name=method]').selectOption('cutting');
    await page.locator('[name=stage]').selectOption({ index: 1 });
    await sound();
    await page.getByRole('button', { name: say('start.zone.do') }).click();

    await page.locator('[name=node]').fill('bench-1');
    await sound();
    await page.getByRole('button', { name: say('start.node.do') }).click();
    const told = (name: RegExp) => page.getByRole('group', { name }).locator('code').innerText();
    const [username, secret] = [await told(say('secret.user')), await told(say('secret.secret'))];
    await sound();
    await page.getByRole('button', { name: say('start.node.next') }).click();
    await expect(page.getByText(say('reading.waiting'))).toBeVisible();

    const file = join(folder, 'node.txt');
    writeFileSync(file, `${username} ${secret}\n`);
    node = spawn(BINARY, ['node', 'simulate', '--mqtt', gateway.mqtt, '--credentials', file, '--interval', '2s'], { stdio: 'ignore' });
    await expect(page.getByText(say('reading.came'))).toBeVisible({ timeout: 60_000 });
    await sound();
    await page.getByRole('link', { name: say('reading.overview') }).click();
    await expect(page.getByText(/一号棚|House 1/u).first()).toBeVisible();
    await sound();
    const { zones } = await gateway.ask<Overview>('/overview');
    expect(zones.map((zone) => zone.stage !== null && zone.newest_ms !== null)).toEqual([true]);
    expect(heard).toEqual([]);
  } finally {
    node?.kill('SIGKILL');
    await gateway.stop();
  }
});
