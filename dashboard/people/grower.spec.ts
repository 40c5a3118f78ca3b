// The grower's morning: one look says that all is well, or what happened in the night and what is
// wrong now; two batches are compared, and the day is printed on A4.
import { expect, test, type Page } from '@playwright/test';

import type { Batches, Overview } from '../src/api/types';
import { complaints, expectAccessible, expectNoSideways } from '../tests/helpers';
import { startDemo, workFolder, type Started } from './gateway';
import { signIn } from './person';
import { begins, wordsOf } from './words';

const enter = async (page: Page, gateway: Started): Promise<void> => {
  const password = gateway.addUser('li', 'grower');
  await signIn(page, gateway.url, 'li', password, 'a-better-password');
};

/** A4 in PostScript points, as a PDF's media box has it. */
const A4 = [595, 842] as const;

test('all is well in one calm line, seen without a tap', async ({ page }, info) => {
  const say = wordsOf(info);
  const gateway = await startDemo(workFolder(), '--no-faults', '--speed', '30');
  try {
    await gateway.live();
    await enter(page, gateway);
    const heard = complaints(page);
    await page.goto(gateway.url);
    await expect(page.getByText(say('morning.calm'))).toBeInViewport();
    await expectAccessible(page);
    await expectNoSideways(page);

    // Two batches side by side, both from their own first day.
    const { batches } = await gateway.ask<Batches>('/batches?state=all');
    const [one, other] = batches.slice(0, 2).map((batch) => `${batch.site}/${batch.batch}`);
    await page.goto(`${gateway.url}/compare?batches=${one},${other}&quantity=air_temperature`);
    await expect(page.locator('canvas').first()).toBeVisible();
    await expect(page.getByRole('table').first()).toBeVisible();
    await expectAccessible(page);
    await expectNoSideways(page);

    // The batch that leads its house goes on to its next stage, and the house's bands with it.
    const leading = batches.find((batch) => batch.leads && batch.crop === 'blueberry');
    const house = async () => (await gateway.ask<Overview>('/overview')).zones.find((zone) => zone.zone === leading?.zone);
    const band = async () => JSON.stringify((await house())?.channels.map((one) => [one.channel.quantity, one.band?.target_low, one.band?.target_high]));
    const [stage, wanted] = [(await house())?.stage?.en, await band()];
    await page.goto(`${gateway.url}/batches/${leading?.site}/${leading?.batch}`);
    await page.getByRole('button', { name: say('batch.stage.next') }).click();
    await page.getByRole('dialog').getByRole('button', { name: say('batch.stage.do') }).click();
    await expect.poll(async () => (await house())?.stage?.en).not.toBe(stage);
    await expect.poll(band).not.toBe(wanted);
    await expectAccessible(page);

    await page.goto(`${gateway.url}/sheet?site=nanchuan`);
    await expect(page.getByRole('button', { name: say('sheet.print') })).toBeVisible();
    await expect(page.getByRole('table').first()).toBeVisible();
    await expectAccessible(page);
    const pdf = (await page.pdf({ preferCSSPageSize: true })).toString('latin1');
    const box = /\/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)/u.exec(pdf);
    expect([Number(box?.[1]), Number(box?.[2])].map(Math.round)).toEqual([...A4]);
    expect(heard).toEqual([]);
  } finally {
    await gateway.stop();
  }
});

test('the night and what is wrong now are told in one look', async ({ page }, info) => {
  const say = wordsOf(info);
  const gateway = await startDemo(workFolder(), '--speed', '60', '--fault', 'house=2,kind=mist-valve,after=5m');
  try {
    const note = '给早班：蓝莓棚喷雾阀坏了 Mist valve of the blueberry house is broken';
    await gateway.ask('/notes', { site: 'nanchuan', zone: 'blueberry', text: note });
    await expect
      .poll(async () => (await gateway.ask<Overview>('/overview')).night.alarms.filter((alarm) => alarm.kind === 'limit').length, { timeout: 60_000 })
      .toBeGreaterThan(0);
    await enter(page, gateway);
    await page.goto(gateway.url);
    const heading = (key: 'morning.now' | 'morning.night') => page.getByRole('heading').filter({ hasText: begins(say(key)) });
    await expect(heading('morning.now')).toBeInViewport();
    await expect(heading('morning.night')).toBeVisible();
    await expect(page.getByText(note)).toBeVisible();
    await expectAccessible(page);
    await expectNoSideways(page);
  } finally {
    await gateway.stop();
  }
});
