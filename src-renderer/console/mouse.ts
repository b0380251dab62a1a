// The captured mouse: relative movement, gathered per animation frame.
export interface MouseMovement {
  readonly dx: number;
  readonly dy: number;
  readonly wheel: number;
  readonly buttons: number;
}

/** One notch of a wheel as browsers report it, in CSS pixels. */
const WHEEL_NOTCH = 100;

export class GuestMouse {
  readonly #send: (movement: MouseMovement) => void;
  #dx = 0;
  #dy = 0;
  #wheel = 0;
  #buttons = 0;
  #scheduled = false;

  constructor(send: (movement: MouseMovement) => void) {
    this.#send = send;
  }

  move({ movementX, movementY }: MouseEvent): void {
    this.#dx += movementX;
    this.#dy += movementY;
    this.#schedule();
  }

  wheel({ deltaY }: WheelEvent): void {
    this.#wheel += deltaY / WHEEL_NOTCH;
    this.#schedule();
  }

  /** `MouseEvent.buttons` has left, right and middle where the guest's mouse has them. */
  button({ buttons }: MouseEvent): void {
    // A press is never merged with the release that follows it.
    if (this.#scheduled) this.#flush();
    this.#buttons = buttons & 7;
    this.#flush();
  }

  releaseAll(): void {
    if (this.#buttons === 0) return;
    this.#buttons = 0;
    this.#flush();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => this.#scheduled && this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const wheel = Math.trunc(this.#wheel);
    this.#send({
      dx: Math.round(this.#dx),
      dy: Math.round(this.#dy),
      wheel: Math.max(-128, Math.min(128, wheel)),
      buttons: this.#buttons,
    });
    this.#dx = 0;
    this.#dy = 0;
    this.#wheel -= wheel;
  }
}
