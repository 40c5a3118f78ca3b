import { describe, expect, it } from 'vitest';

import { parsed, RETRY_MAX_MS, retryDelay } from './events';

describe('a lost stream', () => {
  it('is tried again soon, then ever more slowly, up to a bound', () => {
    expect(retryDelay(0, 1)).toBe(1_000);
    expect(retryDelay(3, 1)).toBe(8_000);
    expect(retryDelay(60, 1)).toBe(RETRY_MAX_MS);
    expect(retryDelay(0, 0)).toBe(750);
  });
});

describe('a line of the stream', () => {
  it('is an event, or nothing', () => {
    expect(parsed('{"type":"clock","now_ms":5}')).toEqual({ type: 'clock', now_ms: 5 });
    expect(parsed('{"now_ms":5}')).toBeNull();
    expect(parsed('{"type":')).toBeNull();
    expect(parsed('null')).toBeNull();
  });
});
