// Who may talk to the server: this computer's browser, with the token, from the server's own pages.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export class Access {
  readonly token: string;
  readonly #hosts: ReadonlySet<string>;
  readonly #cookie: string;

  /** `host` is the address listened on; loopback addresses are known by their usual names as well. */
  constructor(host: string, port: number, token = randomBytes(24).toString('base64url')) {
    this.token = token;
    // Cookies are not kept apart by port: the name has it.
    this.#cookie = `trapeze-${port}`;
    this.#hosts = new Set([host, '127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`));
  }

  /** Guards against DNS rebinding: a foreign name that resolves here is still a foreign name. */
  isOwnHost(request: IncomingMessage): boolean {
    return this.#hosts.has(request.headers.host ?? '');
  }

  /** Whether a page of this server sent the request. */
  isOwnOrigin(request: IncomingMessage): boolean {
    const { origin, host } = request.headers;
    return origin === `http://${host}`;
  }

  hasCookie(request: IncomingMessage): boolean {
    const cookies = (request.headers.cookie ?? '').split(';').map((cookie) => cookie.trim());
    const mine = cookies.find((cookie) => cookie.startsWith(`${this.#cookie}=`));
    return mine !== undefined && this.matches(mine.slice(this.#cookie.length + 1));
  }

  matches(candidate: string): boolean {
    const [a, b] = [Buffer.from(candidate), Buffer.from(this.token)];
    return a.length === b.length && timingSafeEqual(a, b);
  }

  cookieHeader(): string {
    return `${this.#cookie}=${this.token}; HttpOnly; SameSite=Strict; Path=/`;
  }
}
