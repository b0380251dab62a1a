// Several drivers on one line: it is high while any of them is.
import type { Line } from './device.ts';

export class SharedLine {
  readonly #target: Line;
  #drivers = 0;
  #high = new Set<number>();

  constructor(target: Line) {
    this.#target = target;
  }

  /** A new driver of the line, low at first. */
  input(): Line {
    const driver = this.#drivers++;
    return {
      set: (level) => {
        if (level) this.#high.add(driver);
        else this.#high.delete(driver);
        this.#target.set(this.#high.size > 0);
      },
    };
  }
}

/** A line that leads nowhere. */
export const unconnected: Line = { set() {} };
