import { expect, it } from 'vitest';

import { simulateLines } from './simulate';

it('a node is played over the plain port, with its own credentials while they are known', () => {
  const mqtt = [
    { url: 'mqtts://192.168.1.5:8883', tls: true },
    { url: 'mqtt://127.0.0.1:1884', tls: false },
  ];
  expect(simulateLines(mqtt, 'a/b s3cret')).toBe("echo 'a/b s3cret' > node.txt\nmiaopu node simulate --mqtt 127.0.0.1:1884 --credentials node.txt");
  expect(simulateLines([], null)).toContain('--mqtt 127.0.0.1:1883');
});
