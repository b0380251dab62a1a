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

/** A line that can be cut off: what lies behind it sees it low then. */
export class GatedLine implements Line {
  readonly #target: Line;
  #level = false;
  #isOpen = true;

  constructor(target: Line) {
    this.#target = target;
  }

  set(level: boolean): void {
    this.#level = level;
    if (this.#isOpen) this.#target.set(level);
  }

  open(isOpen: boolean): void {
    if (isOpen === this.#isOpen) return;
    this.#isOpen = isOpen;
    this.#target.set(isOpen && this.#level);
  }
}
