// What a benchmark process measures: wall time between two texts on COM1, then memory and idle CPU.

export interface Task {
  readonly kernel: string;
  readonly initrd: string | null;
  readonly commandLine: string;
  readonly memoryMiB: number;
  /** Text at which the clock starts; null: at once. */
  readonly from: string | null;
  readonly until: string;
  /** Seconds of idling to measure afterwards. */
  readonly idleSeconds: number;
  readonly disableJit: boolean;
  /** Of Trapeze; null: the one that machines run with. */
  readonly engine: string | null;
}

export interface Result {
  readonly seconds: number;
  readonly instructions?: number;
  readonly residentMiB: number;
  /** CPU time of the process over the idle period, as a share of one core. */
  readonly idleShare: number | null;
}

export function parseTask(json: string): Task {
  return {
    initrd: null, commandLine: '', memoryMiB: 128, from: null, idleSeconds: 0, disableJit: false, engine: null,
    ...(JSON.parse(json) as Partial<Task> & Pick<Task, 'kernel' | 'until'>),
  };
}

export class Meter {
  readonly #task: Task;
  readonly #more: () => object;
  #start = performance.now();
  #text = '';
  #started: boolean;
  #done = false;

  constructor(task: Task, more: () => object) {
    this.#task = task;
    this.#more = more;
    this.#started = task.from === null;
  }

  serial(text: string): void {
    if (this.#done) return;
    this.#text += text;
    if (!this.#started && this.#text.includes(this.#task.from!)) {
      this.#started = true;
      this.#start = performance.now();
    }
    if (this.#started && this.#text.includes(this.#task.until)) {
      this.#done = true;
      void this.#finish((performance.now() - this.#start) / 1000);
    }
  }

  async #finish(seconds: number): Promise<void> {
    const residentMiB = process.memoryUsage().rss / 2 ** 20;
    let idleShare: number | null = null;
    if (this.#task.idleSeconds > 0) {
      await sleep(3000);
      const before = process.cpuUsage(), at = performance.now();
      await sleep(this.#task.idleSeconds * 1000);
      const used = process.cpuUsage(before);
      idleShare = (used.user + used.system) / 1000 / (performance.now() - at);
    }
    const result: Result = { seconds, residentMiB, idleShare, ...this.#more() };
    console.log(`\n${JSON.stringify(result)}`);
    process.exit(0);
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
