// The technician's night: a mist valve fails, a mail comes, two taps acknowledge the alarm; it is
// shelved for the repair, and a note is left for the morning.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@playwright/test';

import type { Alarm, AlarmDetail, Alarms, Notes } from '../src/api/types';
import { complaints, expectAccessible, expectNoSideways } from '../tests/helpers';
import { startDemo, workFolder, type Started } from './gateway';
import { openMailbox, type Mailbox } from './mail';
import { countTaps, signIn } from './person';
import { wordsOf } from './words';

const ADDRESS = 'night@nursery.example';
/** The demonstration's clock runs 60 times as fast: the valve fails after 5 s, and 10 s later it is an alarm. */
const MAIL_PATIENCE_MS = 90_000;
const MIST_FAILS = 'house=2,kind=mist-valve,after=5m';

async function demoWithMail(folder: string, mailbox: Mailbox): Promise<Started> {
  const config = join(folder, 'notify.toml');
  writeFileSync(
    config,
    `[notify.email]\nserver = "127.0.0.1:${mailbox.port}"\nsecurity = "plain"\nfrom = "miaopu@nursery.example"\n`,
  );
  return startDemo(folder, '--config', config, '--speed', '60', '--fault', MIST_FAILS);
}

/** The shipped limit rests on a weak source: it wakes nobody until somebody of this nursery confirms it. */
const confirmMistLimit = (gateway: Started): Promise<void> =>
  gateway.ask('/limits/confirm', {
    site: 'nanchuan',
    zone: 'blueberry',
    quantity: 'relative_humidity',
    side: 'low',
    limit: 75,
    reason: 'Cuttings wilted below it last spring 去年春天低于此值插穗萎蔫',
  });

/** The alarms that wake: the house has two humidity probes, and each tells its own. */
const waking = async (gateway: Started): Promise<Alarm[]> =>
  (await gateway.ask<Alarms>('/alarms?state=open')).alarms.filter((alarm) => alarm.kind === 'limit' && alarm.wakes && !alarm.history);

test('two taps from the message to acknowledged', async ({ page }, info) => {
  const say = wordsOf(info);
  const folder = workFolder();
  const mailbox = await openMailbox();
  const gateway = await demoWithMail(folder, mailbox);
  try {
    const password = gateway.addUser('wang', 'technician', '--email', ADDRESS, '--language', info.project.name.startsWith('zh') ? 'zh' : 'en');
    await gateway.live();
    await confirmMistLimit(gateway);

    const mail = await mailbox.find(ADDRESS, (text) => text.includes('/answer#'), MAIL_PATIENCE_MS);
    const text = `${mail.subject ?? ''}\n${mail.text ?? ''}`;
    for (const part of ['蓝莓', 'Blueberry', '%', '75']) expect(text).toContain(part);
    const link = /https:\/\/\S+\/answer#\S+/u.exec(text)?.[0] ?? '';
    expect(link).not.toBe('');

    // A mail program that looks at the link in advance changes nothing.
    const local = link.replace(/^https:\/\/[^/]+/u, gateway.url);
    for (const method of ['GET', 'HEAD']) await page.request.fetch(local.replace(/#.*/u, ''), { method });
    expect((await waking(gateway)).map((alarm) => alarm.acknowledged_by)).not.toContain('wang');

    const heard = complaints(page);
    const taps = await countTaps(page);
    // The message as a mail program shows it, whose tap counts too.
    await page.route('**/the-mail', (route) => route.fulfill({ contentType: 'text/html', body: `<a href="${local}">${local}</a>` }));
    await page.goto(`${gateway.url}/the-mail`);
    await page.getByRole('link').click();
    const button = page.getByRole('button', { name: say('answer.button') });
    await expect(button).toBeInViewport();
    expect(new URL(page.url()).hash).toBe('');
    await expectAccessible(page);
    await expectNoSideways(page);
    await button.click();
    await expect(page.getByText(say('answer.done'))).toBeVisible();
    expect(await taps()).toBe(2);
    await expectAccessible(page);

    const answered = (await waking(gateway)).filter((alarm) => alarm.acknowledged_by === 'wang');
    expect(answered).toHaveLength(1);
    // The link is spent: it shows how things are, and has no button.
    await page.goto('about:blank');
    await page.goto(local);
    await expect(page.getByRole('status')).toBeVisible();
    await expect(button).toHaveCount(0);

    // Signed in, the alarm is shelved for the repair, and the morning gets a note.
    const id = answered[0]?.id ?? '';
    await signIn(page, gateway.url, 'wang', password, 'a-better-password');
    await page.goto(`${gateway.url}/alarms/${id}`);
    await page.getByRole('main').getByRole('button', { name: say('shelve.action') }).first().click();
    await page.getByRole('button', { name: say('shelve.reason.working') }).click();
    await expect.poll(async () => (await gateway.ask<AlarmDetail>(`/alarms/${id}`)).alarm.shelved?.by).toContain('wang');
    await expectAccessible(page);
    const note = '蓝莓棚喷雾阀已手动打开 Mist valve opened by hand';
    await page.getByRole('textbox', { name: say('notes.text') }).fill(note);
    await page.getByRole('button', { name: say('notes.save') }).click();
    await expect.poll(async () => (await gateway.ask<Notes>('/notes')).notes.map((it) => it.text)).toContain(note);
    const detail = await gateway.ask<AlarmDetail>(`/alarms/${id}`);
    expect(detail.messages.map(({ channel, state }) => `${channel} ${state}`)).toContain('email sent');
    await expectNoSideways(page);
    expect(heard).toEqual([]);
  } finally {
    await gateway.stop();
    await mailbox.stop();
  }
});
