// What is typed on the gateway to play a node where no hardware is at hand. Not here: words.
import type { Endpoint } from '../api/types';

/** The broker's address where the gateway names none without TLS. */
const BROKER_DEFAULT = '127.0.0.1:1883';
/** The secret is known for one page alone; later its place is shown. */
export const SECRET_PLACE = 'SITE/NODE SECRET';

/** Returns the two lines that play the node of `credentials` over the gateway's plain port. */
export function simulateLines(mqtt: readonly Endpoint[], credentials: string | null): string {
  const plain = mqtt.find(({ tls }) => !tls)?.url.replace(/^mqtt:\/\//u, '') ?? BROKER_DEFAULT;
  return [
    `echo '${credentials ?? SECRET_PLACE}' > node.txt`,
    `miaopu node simulate --mqtt ${plain} --credentials node.txt`,
  ].join('\n');
}
