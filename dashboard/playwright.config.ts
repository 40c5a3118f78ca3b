// How the page is tested in a real browser, against the fixture. Not here: the real gateway, which
// tests/ of the whole project drives.
import { existsSync } from 'node:fs';

import { defineConfig } from '@playwright/test';

const SYSTEM_CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const PORT = Number(process.env['FIXTURE_PORT'] ?? 4173);

export default defineConfig({
  testDir: 'tests',
  testMatch: '*.spec.ts',
  outputDir: 'test-results',
  reporter: [['list']],
  fullyParallel: true,
  workers: 2,
  timeout: 30_000,
  use: {
    baseURL: `http://127.0.0.1:${PORT}`,
    launchOptions: {
      args: ['--no-sandbox', '--font-render-hinting=none'],
      ...(existsSync(SYSTEM_CHROMIUM) ? { executablePath: SYSTEM_CHROMIUM } : {}),
    },
  },
  webServer: {
    command: 'node tests/fixture-server.mjs',
    env: { FIXTURE_PORT: String(PORT) },
    port: PORT,
    reuseExistingServer: false,
  },
});
