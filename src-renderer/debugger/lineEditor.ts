// Editing one line in a terminal: cursor, history, completion. Knows no terminal; says what to draw.
export interface LineEditorHost {
  write(text: string): void;
  run(line: string): Promise<string>;
  complete(line: string): Promise<{ candidates: readonly string[]; start: number }>;
}

const BLUE = '\x1b[34m';
const PLAIN = '\x1b[0m';
const PROMPT = 'trapeze> ';

export class LineEditor {
  readonly #host: LineEditorHost;
  readonly #history: string[];
  #line = '';
  #cursor = 0;
  #recalled: number | null = null;
  #draft = '';
  #last: Promise<void> = Promise.resolve();

  constructor(host: LineEditorHost, history: readonly string[] = []) {
    this.#host = host;
    this.#history = [...history];
  }

  get history(): readonly string[] {
    return this.#history;
  }
  get line(): string {
    return this.#line;
  }

  prompt(): void {
    this.#host.write(`${BLUE}${PROMPT}${PLAIN}`);
  }

  /** What a terminal sends: keys, control sequences, pasted text. */
  input(data: string): Promise<void> {
    // One after the other: what is typed while a command or a completion is under way comes behind it.
    this.#last = this.#last.then(() => this.#take(data));
    return this.#last;
  }

  async #take(data: string): Promise<void> {
    switch (data) {
      case '\r':
        return this.#enter();
      case '\t':
        return this.#complete();
      case '\x7f':
        return this.#replace(this.#cursor - 1, this.#cursor, '');
      case '\x1b[3~':
        return this.#replace(this.#cursor, this.#cursor + 1, '');
      case '\x1b[D':
        return this.#move(this.#cursor - 1);
      case '\x1b[C':
        return this.#move(this.#cursor + 1);
      case '\x1b[H':
      case '\x01':
        return this.#move(0);
      case '\x1b[F':
      case '\x05':
        return this.#move(this.#line.length);
      case '\x1b[A':
        return this.#recall(-1);
      case '\x1b[B':
        return this.#recall(1);
      case '\x15':
        return this.#replace(0, this.#cursor, '');
      case '\x03':
        this.#host.write('^C\r\n');
        this.#set('', 0);
        return this.prompt();
      default:
        if (data.startsWith('\x1b')) return;
        for (const piece of data.split(/(\r\n?|\n)/)) {
          if (/^[\r\n]+$/.test(piece)) await this.#enter();
          else {
            const text = [...piece].filter((character) => character >= ' ').join('');
            if (text !== '') this.#replace(this.#cursor, this.#cursor, text);
          }
        }
    }
  }

  async #enter(): Promise<void> {
    const line = this.#line.trim();
    this.#host.write('\r\n');
    this.#set('', 0);
    this.#recalled = null;
    if (line !== '') {
      if (this.#history.at(-1) !== line) this.#history.push(line);
      const output = await this.#host.run(line);
      this.#host.write(output.replace(/\r?\n/g, '\r\n'));
      if (output !== '' && !output.endsWith('\n')) this.#host.write('\r\n');
    }
    this.prompt();
  }

  async #complete(): Promise<void> {
    const head = this.#line.slice(0, this.#cursor);
    const { candidates, start } = await this.#host.complete(head);
    if (candidates.length === 0) return;
    const common = commonStart(candidates);
    const typed = head.slice(start);
    if (candidates.length === 1 || common.length > typed.length) {
      return this.#replace(start, this.#cursor, candidates.length === 1 ? `${candidates[0]!} ` : common);
    }
    const line = this.#line;
    const cursor = this.#cursor;
    this.#host.write(`\r\n${candidates.join('  ')}\r\n`);
    this.#set('', 0);
    this.prompt();
    this.#replace(0, 0, line);
    this.#move(cursor);
  }

  #recall(step: number): void {
    if (this.#history.length === 0) return;
    if (this.#recalled === null) {
      if (step > 0) return;
      this.#draft = this.#line;
      this.#recalled = this.#history.length;
    }
    const next = Math.max(0, this.#recalled + step);
    const text = next >= this.#history.length ? this.#draft : this.#history[next]!;
    this.#replace(0, this.#line.length, text);
    this.#recalled = next >= this.#history.length ? null : next;
  }

  #replace(from: number, to: number, text: string): void {
    if (from < 0) return;
    const rest = this.#line.slice(to);
    this.#move(from);
    this.#host.write(`${text}${rest}\x1b[K`);
    this.#set(this.#line.slice(0, from) + text + rest, from + text.length + rest.length);
    this.#move(from + text.length);
  }

  #move(to: number): void {
    const next = Math.max(0, Math.min(this.#line.length, to));
    const distance = next - this.#cursor;
    if (distance !== 0) this.#host.write(`\x1b[${Math.abs(distance)}${distance < 0 ? 'D' : 'C'}`);
    this.#cursor = next;
  }

  #set(line: string, cursor: number): void {
    this.#line = line;
    this.#cursor = cursor;
  }
}

function commonStart(words: readonly string[]): string {
  const [first = '', ...others] = words;
  let length = first.length;
  for (const word of others) while (!word.startsWith(first.slice(0, length))) length--;
  return first.slice(0, length);
}
