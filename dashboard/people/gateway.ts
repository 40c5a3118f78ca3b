// A real gateway as a child process, with its commands. Ended with the test that started it.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

import type { Overview } from '../src/api/types';

const READY_PATIENCE_MS = 60_000;
const LIVE_PATIENCE_MS = 90_000;
/** A reading younger than this, on the gateway's clock, is a live one. */
const FRESH_MS = 5 * 60_000;
const HOUSES = 5;

/** The program under test: MIAOPU_BINARY, or the release build. */
export const BINARY = resolve(process.env['MIAOPU_BINARY'] ?? join(import.meta.dirname, '../../target/release/miaopu'));

export interface Started {
  readonly folder: string;
  readonly data: string;
  /** Where the dashboard is, such as http://127.0.0.1:8080. */
  readonly url: string;
  /** Where nodes connect, as host:port. */
  readonly mqtt: string;
  /** The one-time password of `admin`. */
  readonly password: string;
  /** Runs a command of the program on this data and returns what it printed. */
  run(...words: string[]): string;
  /** Adds a user and returns the first password. */
  addUser(name: string, role: string, ...more: string[]): string;
  /** Asks the interface as an admin's program. */
  ask<T>(path: string, body?: unknown): Promise<T>;
  /** Waits until the week of history is in and every house of the demonstration is live. */
  live(): Promise<void>;
  stop(): Promise<void>;
}

/** Makes a folder for one test. */
export const workFolder = (): string => mkdtempSync(join(tmpdir(), 'miaopu-people-'));

/** Starts `miaopu demo` with free ports and waits until it is ready. */
export async function startDemo(folder: string, ...words: string[]): Promise<Started> {
  const data = join(folder, 'data');
  const log = openSync(join(folder, 'gateway.log'), 'a');
  const child = spawn(BINARY, ['demo', '--http', '127.0.0.1:0', '--mqtt', '127.0.0.1:0', '--data', data, ...words], {
    stdio: ['ignore', 'pipe', log],
  });
  const said = await ready(child);
  const at = (name: string): string => {
    const found = new RegExp(`\\b${name}=(\\S+)`).exec(said.join('\n'));
    if (!found?.[1]) throw new Error(`the gateway did not say where ${name} is: ${said.join('\n')}`);
    return found[1];
  };
  const password = /one-time password: (\S+)/.exec(said.join('\n'))?.[1] ?? '';
  const run = (...command: string[]): string => execFileSync(BINARY, command, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const token = run('token', 'new', '--data', data, '--name', 'story', '--role', 'admin').trim();
  const url = `http://${at('http')}`;
  const ask = async <T>(path: string, body?: unknown): Promise<T> => {
    const headers: Record<string, string> = { authorization: `Bearer ${token}` };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const answer = await fetch(`${url}/api/v1${path}`, {
      headers,
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };
  return {
    folder,
    data,
    url,
    mqtt: at('mqtt'),
    password,
    run,
    addUser: (name, role, ...more) => {
      const lines = run('user', 'add', '--data', data, '--name', name, '--role', role, ...more).trim().split('\n');
      return lines.at(-1)?.split(/\s+/).at(-1) ?? '';
    },
    ask,
    live: async () => {
      const until = Date.now() + LIVE_PATIENCE_MS;
      for (;;) {
        const { now_ms, zones } = await ask<Overview>('/overview');
        const fresh = zones.filter(({ newest_ms }) => newest_ms !== null && now_ms - newest_ms < FRESH_MS);
        if (fresh.length === HOUSES) return;
        if (Date.now() > until) throw new Error(`only ${fresh.length} houses are live`);
        await new Promise((done) => setTimeout(done, 250));
      }
    },
    stop: () => ended(child, folder),
  };
}

function ready(child: ChildProcess): Promise<string[]> {
  return new Promise((done, failed) => {
    const said: string[] = [];
    const late = setTimeout(() => failed(new Error(`not ready: ${said.join('\n')}`)), READY_PATIENCE_MS);
    child.once('exit', (code) => failed(new Error(`the gateway ended with ${code}: ${said.join('\n')}`)));
    if (!child.stdout) throw new Error('the output is piped');
    createInterface(child.stdout).on('line', (line) => {
      said.push(line);
      if (!line.startsWith('ready ')) return;
      clearTimeout(late);
      done(said);
    });
  });
}

async function ended(child: ChildProcess, folder: string): Promise<void> {
  const gone = new Promise((done) => child.once('exit', done));
  if (child.exitCode === null) {
    child.kill('SIGKILL');
    await gone;
  }
  rmSync(folder, { recursive: true, force: true });
}
