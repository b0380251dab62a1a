// Accepts GDB: one client at a time.
import type { Disposable } from '../../base/disposable.ts';
import type { ByteConnection } from '../../host/debugHost.ts';
import { encodePacket, textToPayload } from './packets.ts';
import { GdbSession, type GdbPorts } from './session.ts';

/** Clients that may wait to be told that they are not wanted. */
const REFUSED_LIMIT = 8;

export class GdbServer implements Disposable {
  readonly #ports: GdbPorts;
  readonly #onClient: (peer: string | null) => void;
  readonly #refused = new Set<ByteConnection>();
  #session: GdbSession | null = null;

  /** `onClient` hears of each client that comes, and null when it has gone. */
  constructor(ports: GdbPorts, onClient: (peer: string | null) => void = () => {}) {
    this.#ports = ports;
    this.#onClient = onClient;
  }

  /** The peer that is connected now. */
  get client(): string | null {
    return this.#session?.peer ?? null;
  }

  /** For DebugHost.listen. */
  accept(connection: ByteConnection): void {
    // Who has said nothing yet makes room.
    if (this.#session !== null && !this.#session.isGreeted) this.#session.dispose();
    if (this.#session !== null) {
      this.#refuse(connection, this.#session.peer);
      return;
    }
    const session: GdbSession = new GdbSession(connection, this.#ports, () => {
      if (this.#session !== session) return;
      this.#session = null;
      this.#onClient(null);
    });
    this.#session = session;
    this.#onClient(connection.peer);
  }

  /** Answers its first bytes with a reason: what is sent before could be lost with the connection. */
  #refuse(connection: ByteConnection, peer: string): void {
    if (this.#refused.size >= REFUSED_LIMIT) {
      connection.close();
      return;
    }
    this.#refused.add(connection);
    connection.onClose(() => this.#refused.delete(connection));
    connection.onData(() => {
      if (!this.#refused.delete(connection)) return;
      connection.send(encodePacket(textToPayload(`E.another GDB (${peer}) is connected to this machine`)));
      connection.close();
    });
  }

  dispose(): void {
    this.#session?.dispose();
    for (const connection of this.#refused) connection.close();
    this.#refused.clear();
  }
}
