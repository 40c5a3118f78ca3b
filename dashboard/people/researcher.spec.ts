// The researcher's file: from the overview to the archive in five clicks, its checksums hold, its
// exposures are what anyone computes from the raw series in it, and the command gives the same bytes.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { expect, test } from '@playwright/test';
import { unzipSync } from 'fflate';

import type { Batches } from '../src/api/types';
import { complaints, expectAccessible, expectNoSideways } from '../tests/helpers';
import { startDemo, workFolder } from './gateway';
import { countTaps, signIn } from './person';
import { wordsOf } from './words';

const CLICKS_MAX = 5;
const BRUTE_FORCE = join(import.meta.dirname, '../../tests/exposure_brute_force.py');

test('five clicks from the overview to the file', async ({ page }, info) => {
  const say = wordsOf(info);
  const folder = workFolder();
  const gateway = await startDemo(folder, '--no-faults', '--speed', '30');
  try {
    await gateway.live();
    const password = gateway.addUser('zhang', 'researcher');
    await signIn(page, gateway.url, 'zhang', password, 'a-better-password');
    const heard = complaints(page);
    const taps = await countTaps(page);
    await page.goto(gateway.url);
    const { batches } = await gateway.ask<Batches>('/batches?state=all');
    const [first] = batches;

    const nav = page.getByRole('navigation');
    // The rail of a desk has it at hand, the bar of a phone behind “more”: what there is shows once the page is up.
    const direct = nav.getByRole('link', { name: say('nav.export') }).locator('visible=true');
    const more = nav.getByRole('button', { name: say('nav.more') }).locator('visible=true');
    await direct.or(more).first().waitFor();
    if (!(await direct.isVisible())) await more.click();
    await page.getByRole('link', { name: say('nav.export') }).locator('visible=true').click();
    await page.getByRole('checkbox', { name: first?.label ?? '' }).first().check();
    const got = page.getByRole('link', { name: say('study.download') });
    await expect(got).toBeVisible();
    const [download] = await Promise.all([page.waitForEvent('download'), got.click()]);
    expect(await taps()).toBeLessThanOrEqual(CLICKS_MAX);
    await expectAccessible(page);
    await expectNoSideways(page);

    const zip = readFileSync(await download.path());
    const study = join(folder, 'study');
    for (const [name, bytes] of Object.entries(unzipSync(zip))) {
      mkdirSync(dirname(join(study, name)), { recursive: true });
      writeFileSync(join(study, name), bytes);
    }
    execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: study });
    execFileSync('python3', [BRUTE_FORCE, study]);

    // The same request on the command line, and once more over HTTP: the same bytes.
    const asked = new URL(download.url()).searchParams;
    const again = join(folder, 'again');
    const batchWords = asked.getAll('batch').flatMap((batch) => ['--batch', batch]);
    gateway.run('export', '--study', '--data', gateway.data, '-o', again, ...batchWords, '--from', asked.get('from') ?? '', '--to', asked.get('to') ?? '');
    for (const name of ['exposure.csv', 'series.csv', 'dictionary.json', 'SHA256SUMS']) {
      expect(readFileSync(join(again, name)).equals(readFileSync(join(study, name))), name).toBe(true);
    }
    const repeated = await page.request.get(download.url());
    expect((await repeated.body()).equals(zip)).toBe(true);
    expect(heard).toEqual([]);
  } finally {
    await gateway.stop();
  }
});
