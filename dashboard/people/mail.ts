// A mail server of our own that takes what the gateway sends and reads it as a mail program would.
import type { AddressInfo } from 'node:net';

import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer } from 'smtp-server';

export interface Mailbox {
  readonly port: number;
  readonly mails: Email[];
  /** Waits for a mail to `address` whose text fits. */
  find(address: string, fits: (text: string) => boolean, patienceMs: number): Promise<Email>;
  stop(): Promise<void>;
}

/** Listens on a free port of the loopback. */
export async function openMailbox(): Promise<Mailbox> {
  const mails: Email[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onData: (stream, _session, done) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        PostalMime.parse(Buffer.concat(parts)).then(
          (mail) => {
            mails.push(mail);
            done();
          },
          (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
        );
      });
    },
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.server.address() as AddressInfo;
  const is_for = (mail: Email, address: string): boolean => (mail.to ?? []).some((to) => to.address === address);
  return {
    port,
    mails,
    find: async (address, fits, patienceMs) => {
      const until = Date.now() + patienceMs;
      for (;;) {
        const found = mails.find((mail) => is_for(mail, address) && fits(`${mail.subject ?? ''}\n${mail.text ?? ''}`));
        if (found) return found;
        if (Date.now() > until) throw new Error(`no such mail to ${address}; there are: ${mails.map((mail) => mail.subject).join(' | ')}`);
        await new Promise((done) => setTimeout(done, 200));
      }
    },
    stop: () => new Promise((done) => server.close(() => done())),
  };
}
