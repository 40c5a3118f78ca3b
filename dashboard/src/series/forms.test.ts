import { describe, expect, it } from 'vitest';

import { degrees, faultsFile, fingerprintGroups, firstPassword, PASSWORD_LENGTH, sizeOf } from './forms';

describe('a position', () => {
  it.each([
    ['29.157', 29.157],
    [' 29,157 ', 29.157],
    ['-29.5', -29.5],
    ['29°09′25″N', 29.156944],
    ["29° 9' S", -29.15],
    ['29.5北', 29.5],
    ['29.5南', -29.5],
  ])('%s is understood', (text, value) => expect(degrees(text, 90)).toBe(value));

  it.each(['', 'abc', '91', '29°60′', '29°09′60″', '29 09'])('%s is not', (text) => expect(degrees(text, 90)).toBeNull());
});

describe('a first password', () => {
  it('has four groups of four and takes no byte that would favour a letter', () => {
    expect(firstPassword([...Array(40).keys()])).toBe('abcd-efgh-jkmn-pqrs');
    expect(firstPassword([255, 250, 248, 247, ...Array<number>(40).fill(0)])).toBe('9aaa-aaaa-aaaa-aaaa');
    expect(firstPassword(Array<number>(64).fill(7)).replaceAll('-', '')).toHaveLength(PASSWORD_LENGTH);
  });
});

describe('a fingerprint', () => {
  it('is shown in groups of four pairs', () => {
    const pairs = Array.from({ length: 32 }, (_, n) => n.toString(16).padStart(2, '0')).join(':');
    expect(fingerprintGroups(pairs)).toHaveLength(8);
    expect(fingerprintGroups(pairs)[0]).toBe('00 01 02 03');
    expect(fingerprintGroups('')).toEqual([]);
  });
});

describe('a size', () => {
  it('is told in the unit that people say', () => {
    expect([999, 42_000, 3_400_000, 2e9].map((bytes) => sizeOf(bytes).unit)).toEqual(['B', 'kB', 'MB', 'GB']);
  });
});

describe('a file of faults', () => {
  it('keeps commas, quotes and Chinese, and starts no formula', () => {
    const fault = { row: 3, field: 'LATITUDE', value: '=1+1', message: { zh: '秒要小于 60，这里是“60”', en: 'seconds, 60' }, remedy: { zh: '改', en: 'say "59"' } };
    const text = faultsFile([fault]);
    expect(text.startsWith('\uFEFFrow,field,value')).toBe(true);
    expect(text).toContain("3,LATITUDE,'=1+1,秒要小于 60，这里是“60”,改,\"seconds, 60\",\"say \"\"59\"\"\"\r\n");
  });
});
