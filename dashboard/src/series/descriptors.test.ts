import { describe, expect, it } from 'vitest';

import { CODES, grouped, groupOf } from './descriptors';

describe('descriptors', () => {
  it('are the 41 of MCPD v2.1, each in one group', () => {
    expect(CODES).toHaveLength(41);
    expect(new Set(CODES).size).toBe(41);
  });

  it('keep their order, and unknown ones are shown too', () => {
    const all = ['X', 'COLLDATE', 'INSTCODE', 'COLLSITE'].map((code) => ({ code, name: { zh: '', en: '' }, value: '', meaning: null }));
    expect(grouped(all).map(({ group, descriptors }) => [group, descriptors.map(({ code }) => code)])).toEqual([
      ['identity', ['INSTCODE']],
      ['collecting', ['COLLDATE', 'COLLSITE']],
      ['other', ['X']],
    ]);
    expect(groupOf('STORAGE')).toBe('holding');
  });
});
