// Pulls the guest's picture onto a canvas for as long as somebody looks.
import type { Frame } from '../../core/api/console.ts';
import { useClient } from '../client/client.ts';

const RETRY_MS = 500;

export interface PainterEvents {
  mode(mode: Frame['mode']): void;
}

export class ScreenPainter {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #events: PainterEvents;
  readonly #viewer = crypto.randomUUID();
  #running = false;

  constructor(canvas: HTMLCanvasElement, events: PainterEvents) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { alpha: false })!;
    this.#events = events;
  }

  /** `minIntervalMs` slows it down where a small picture is enough. */
  async run(id: string, minIntervalMs = 0): Promise<void> {
    this.#running = true;
    let full = true;
    while (this.#running) {
      // A hidden page asks for nothing.
      if (document.hidden) {
        await delay(RETRY_MS);
        continue;
      }
      try {
        const frame = await useClient().call('console.frame', { id, viewer: this.#viewer, full, waitMs: 1000 });
        if (!this.#running) return;
        full = false;
        this.#paint(frame);
        await (minIntervalMs > 0 ? delay(minIntervalMs) : nextFrame());
      } catch {
        full = true;
        await delay(RETRY_MS);
      }
    }
  }

  stop(): void {
    this.#running = false;
  }

  #paint({ mode, rectangles }: Frame): void {
    if (this.#canvas.width !== mode.width || this.#canvas.height !== mode.height) {
      this.#canvas.width = Math.max(1, mode.width);
      this.#canvas.height = Math.max(1, mode.height);
    }
    this.#events.mode(mode);
    for (const { x, y, width, height, pixels } of rectangles) {
      if (pixels.length !== width * height * 4 || width === 0 || height === 0) continue;
      const clamped = new Uint8ClampedArray(pixels.buffer as ArrayBuffer, pixels.byteOffset, pixels.length);
      this.#context.putImageData(new ImageData(clamped, width, height), x, y);
    }
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function nextFrame(): Promise<void> {
  return new Promise((resolve) => requestAnimationFrame(() => resolve()));
}
