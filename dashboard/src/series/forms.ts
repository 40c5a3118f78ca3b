// What people type and read once: positions, first passwords, fingerprints, file sizes, a file of faults.
// Not here: words.
import type { ImportFault } from '../api/types';

/** Returns the degrees that a text means: `29.157`, `29°09′25″N`, `-106.5`; null where it means none. */
export function degrees(text: string, limit: number): number | null {
  const plain = text.trim().toUpperCase().replaceAll('，', ',').replaceAll('−', '-');
  const match = /^([+-]?\d{1,3}(?:[.,]\d+)?)\s*°?\s*(?:(\d{1,2}(?:\.\d+)?)\s*['′]\s*(?:(\d{1,2}(?:\.\d+)?)\s*["″]\s*)?)?([NSEW北南东西])?$/u.exec(plain);
  if (!match) return null;
  const [, whole = '', minutes = '0', seconds = '0', side = ''] = match;
  const minute = Number(minutes);
  const second = Number(seconds);
  if (minute >= 60 || second >= 60) return null;
  const size = Number(whole.replace(',', '.'));
  const value = (Math.abs(size) + minute / 60 + second / 3_600) * (whole.startsWith('-') ? -1 : 1);
  const signed = 'SW南西'.includes(side) && side !== '' ? -value : value;
  return Math.abs(signed) <= limit ? Number(signed.toFixed(6)) : null;
}

/** Letters and digits that nobody confuses when reading aloud. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';
/** How many characters a first password has: 16 of 31 are 79 bits. */
export const PASSWORD_LENGTH = 16;

/** Returns a first password out of random bytes, in groups of four; bytes that would favour a letter are passed over. */
export function firstPassword(random: Iterable<number>): string {
  const fair = 256 - (256 % ALPHABET.length);
  let letters = '';
  for (const byte of random) {
    if (byte < fair && letters.length < PASSWORD_LENGTH) letters += ALPHABET.charAt(byte % ALPHABET.length);
  }
  return letters.replaceAll(/(.{4})(?=.)/gu, '$1-');
}

/** Returns a fingerprint in lines of groups that eyes can compare: four pairs a group. */
export function fingerprintGroups(fingerprint: string): string[] {
  const pairs = fingerprint.toUpperCase().split(':').filter((pair) => pair !== '');
  return Array.from({ length: Math.ceil(pairs.length / 4) }, (_, group) => pairs.slice(group * 4, group * 4 + 4).join(' '));
}

export type Size = { value: number; unit: 'B' | 'kB' | 'MB' | 'GB'; decimals: number };

/** Returns a size as people say it. */
export function sizeOf(bytes: number): Size {
  if (bytes < 1_000) return { value: bytes, unit: 'B', decimals: 0 };
  if (bytes < 1_000_000) return { value: bytes / 1_000, unit: 'kB', decimals: 0 };
  if (bytes < 1_000_000_000) return { value: bytes / 1_000_000, unit: 'MB', decimals: 1 };
  return { value: bytes / 1_000_000_000, unit: 'GB', decimals: 1 };
}

/** Returns the faults as a CSV file that a spreadsheet opens with its Chinese words whole. */
export function faultsFile(faults: readonly ImportFault[]): string {
  const head = ['row', 'field', 'value', 'message_zh', 'remedy_zh', 'message_en', 'remedy_en'];
  const rows = faults.map(({ row, field, value, message, remedy }) => [String(row), field, value, message.zh, remedy.zh, message.en, remedy.en]);
  return `\uFEFF${[head, ...rows].map((cells) => cells.map(cell).join(',')).join('\r\n')}\r\n`;
}

/** A cell that begins like a formula is quoted with an apostrophe, so that no spreadsheet runs it. */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/u.test(text) ? `'${text}` : text;
  return /[",\r\n]/u.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
