// The stories of three people against the real gateway: each in both languages, on a phone and on a
// desk. Not here: the pages against the fixture, which playwright.config.ts runs.
import { existsSync } from 'node:fs';

import { defineConfig } from '@playwright/test';

const SYSTEM_CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const PHONE = { width: 390, height: 844 };
const DESK = { width: 1440, height: 900 };

const looks = [
  { name: 'zh-phone', use: { locale: 'zh-CN', viewport: PHONE, hasTouch: true } },
  { name: 'en-phone', use: { locale: 'en-GB', viewport: PHONE, hasTouch: true } },
  { name: 'zh-desk', use: { locale: 'zh-CN', viewport: DESK } },
  { name: 'en-desk', use: { locale: 'en-GB', viewport: DESK } },
];

export default defineConfig({
  testDir: 'people',
  testMatch: '*.spec.ts',
  outputDir: 'test-results/people',
  reporter: [['list']],
  workers: 2,
  timeout: 180_000,
  expect: { timeout: 15_000 },
  use: {
    acceptDownloads: true,
    timezoneId: 'Asia/Shanghai',
    launchOptions: {
      args: ['--no-sandbox', '--font-render-hinting=none'],
      ...(existsSync(SYSTEM_CHROMIUM) ? { executablePath: SYSTEM_CHROMIUM } : {}),
    },
  },
  projects: looks,
});
