// The captured keyboard: every key but the release key goes to the guest.
import { breakCodes, makeCodes } from './scanCodes.ts';

export const RELEASE_KEY = 'ControlRight';
export const RELEASE_KEY_NAME = 'Right Ctrl';

export interface GuestKeyboardActions {
  send(scanCodes: readonly number[]): void;
  release(): void;
  fullScreen(): void;
  controlAltDelete(): void;
}

export class GuestKeyboard {
  readonly #actions: GuestKeyboardActions;
  readonly #down = new Set<string>();
  #releaseHeld = false;

  constructor(actions: GuestKeyboardActions) {
    this.#actions = actions;
  }

  keyDown(event: KeyboardEvent): void {
    event.preventDefault();
    event.stopPropagation();
    if (event.code === RELEASE_KEY) {
      this.#releaseHeld = true;
      return;
    }
    if (this.#releaseHeld) {
      this.#releaseHeld = false;
      if (event.code === 'KeyF') return this.#actions.fullScreen();
      if (event.code === 'Delete') return this.#actions.controlAltDelete();
    }
    const codes = makeCodes(event.code, event.ctrlKey);
    if (codes.length === 0) return;
    this.#down.add(event.code);
    this.#actions.send(codes);
  }

  keyUp(event: KeyboardEvent): void {
    event.preventDefault();
    event.stopPropagation();
    if (event.code === RELEASE_KEY) {
      if (this.#releaseHeld) this.#actions.release();
      this.#releaseHeld = false;
      return;
    }
    // Some systems report Print Screen only when it goes up.
    if (event.code === 'PrintScreen' && !this.#down.has(event.code)) this.#actions.send(makeCodes(event.code));
    else if (!this.#down.has(event.code)) return;
    this.#down.delete(event.code);
    const codes = breakCodes(event.code);
    if (codes.length > 0) this.#actions.send(codes);
  }

  /** Lets go of every key the guest believes to be down. */
  releaseAll(): void {
    const codes = [...this.#down].flatMap((code) => [...breakCodes(code)]);
    this.#down.clear();
    this.#releaseHeld = false;
    if (codes.length > 0) this.#actions.send(codes);
  }
}
