// The guest's picture for those who look: frames as dirty rectangles, whole pictures, the text.
import type { Frame, ScreenText } from '../../core/api/console.ts';
import type { DisplayMode, DisplayRectangle, DisplaySource } from '../../core/host/display.ts';
import { encodePng, shrink } from './png.ts';

/** Time between two looks at the display: what a 60 Hz window can show. */
const FRAME_INTERVAL_MS = 16;
/** A picture that stood still for so long is looked at less often: an idle guest must cost almost nothing. */
const STILL_AFTER_MS = 500;
const STILL_INTERVAL_MS = 60;
const VIEWER_KEPT_MS = 30_000;

interface Viewer {
  /** The identity that the display counts changes for. */
  readonly consumer: object;
  lastUsedMs: number;
  lastFrameMs: number;
  mode: string;
}

export class ScreenReader {
  readonly #display: DisplaySource;
  readonly #viewers = new Map<string, Viewer>();
  #lastChangeMs = 0;
  #wake: (() => void) | null = null;

  constructor(display: DisplaySource) {
    this.#display = display;
  }

  /** Resolves when there is something new for `viewer`, or empty after `waitMs`. */
  async frame(request: { viewer: string; full: boolean; waitMs: number }): Promise<Frame> {
    const started = performance.now();
    const viewer = this.#viewer(request.viewer, started);
    let full = request.full;
    const early = viewer.lastFrameMs + FRAME_INTERVAL_MS - started;
    if (early > 0) await delay(early);
    for (;;) {
      const now = performance.now();
      viewer.lastUsedMs = now;
      const { mode, rectangles } = this.#display.update(viewer.consumer, full);
      full = false;
      const changed = rectangles.length > 0 || viewer.mode !== modeKey(mode);
      if (changed) this.#lastChangeMs = now;
      if (changed || now - started >= request.waitMs) {
        viewer.lastFrameMs = now;
        viewer.mode = modeKey(mode);
        return { mode: modeRecord(mode), rectangles: rectangles.map(rectangleRecord) };
      }
      await this.#untilNextLook(now);
    }
  }

  /** A person did something: what follows is shown without delay. */
  expectChange(): void {
    this.#lastChangeMs = performance.now();
    this.#wake?.();
  }

  async #untilNextLook(now: number): Promise<void> {
    if (now - this.#lastChangeMs < STILL_AFTER_MS) return delay(FRAME_INTERVAL_MS);
    await Promise.race([delay(STILL_INTERVAL_MS), new Promise<void>((resolve) => (this.#wake = resolve))]);
  }

  screenshot(maxWidth: number | null): { width: number; height: number; png: Uint8Array<ArrayBuffer> } | null {
    const { mode, rectangles } = this.#display.update({}, true);
    if (mode.width === 0 || mode.height === 0) return null;
    const whole = compose(mode, rectangles);
    const picture = maxWidth === null ? whole : shrink(whole, maxWidth);
    return { width: picture.width, height: picture.height, png: encodePng(picture) };
  }

  text(): ScreenText | null {
    return this.#display.text();
  }

  #viewer(name: string, now: number): Viewer {
    for (const [key, viewer] of this.#viewers) {
      if (now - viewer.lastUsedMs > VIEWER_KEPT_MS) this.#viewers.delete(key);
    }
    const known = this.#viewers.get(name);
    if (known !== undefined) return known;
    const viewer = { consumer: {}, lastUsedMs: now, lastFrameMs: -Infinity, mode: '' };
    this.#viewers.set(name, viewer);
    return viewer;
  }
}

/** The whole picture from the rectangles of a full update. */
function compose(mode: DisplayMode, rectangles: readonly DisplayRectangle[]) {
  const pixels = new Uint8ClampedArray(mode.width * mode.height * 4);
  for (const rectangle of rectangles) {
    for (let y = 0; y < rectangle.height; y++) {
      const row = rectangle.pixels.subarray(y * rectangle.width * 4, (y + 1) * rectangle.width * 4);
      pixels.set(row, ((rectangle.y + y) * mode.width + rectangle.x) * 4);
    }
  }
  return { width: mode.width, height: mode.height, pixels };
}

export function modeRecord(mode: DisplayMode): Frame['mode'] {
  return { width: mode.width, height: mode.height, text: mode.text ?? null };
}

function modeKey(mode: DisplayMode): string {
  return `${mode.width}x${mode.height}:${mode.text?.columns ?? 0}x${mode.text?.rows ?? 0}`;
}

/** A copy: the display may draw on into its own buffer while the message waits to be sent. */
function rectangleRecord(rectangle: DisplayRectangle): Frame['rectangles'][number] {
  const { x, y, width, height } = rectangle;
  return { x, y, width, height, pixels: new Uint8Array(rectangle.pixels) };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
