// The rendered picture and who has seen which of its bands.
import type { DisplayMode, DisplayRectangle } from '../../host/display.ts';

/** A picture in bands of equal height (text rows or lines), with the last change of each. */
export class FrameBuffer {
  width = 0;
  height = 0;
  bandHeight = 1;
  pixels = new Uint32Array(0);
  mode: DisplayMode = { width: 0, height: 0 };
  #generation = 1;
  /** Generation of the newest change of a band and of the one before it, and the newest one's columns. */
  #changed = new Float64Array(0);
  #changedBefore = new Float64Array(0);
  #left = new Int32Array(0);
  #right = new Int32Array(0);
  #resizedAt = 0;
  readonly #seen = new WeakMap<object, number>();

  resize(mode: DisplayMode, bandHeight: number): void {
    this.mode = mode;
    this.width = mode.width;
    this.height = mode.height;
    this.bandHeight = bandHeight;
    this.pixels = new Uint32Array(mode.width * mode.height).fill(0xff000000);
    const bands = Math.ceil(mode.height / bandHeight);
    this.#changed = new Float64Array(bands);
    this.#changedBefore = new Float64Array(bands);
    this.#left = new Int32Array(bands);
    this.#right = new Int32Array(bands);
    this.#resizedAt = ++this.#generation;
  }

  /** Begins a round of changes. */
  begin(): void {
    this.#generation++;
  }

  /** Columns [left, right) of a band changed in this round. */
  touch(band: number, left: number, right: number): void {
    if (this.#changed[band] !== this.#generation) {
      this.#changedBefore[band] = this.#changed[band]!;
      this.#changed[band] = this.#generation;
      this.#left[band] = left;
      this.#right[band] = right;
      return;
    }
    if (left < this.#left[band]!) this.#left[band] = left;
    if (right > this.#right[band]!) this.#right[band] = right;
  }

  /** What `consumer` has not seen yet. */
  take(consumer: object, full: boolean): DisplayRectangle[] {
    const seen = full ? 0 : (this.#seen.get(consumer) ?? 0);
    this.#seen.set(consumer, this.#generation);
    if (seen < this.#resizedAt) return [this.#copy(0, 0, this.width, this.height)];
    const rectangles: DisplayRectangle[] = [];
    const bands = this.#changed.length;
    for (let band = 0; band < bands; band++) {
      if (this.#changed[band]! <= seen) continue;
      const first = band;
      let left = this.width;
      let right = 0;
      for (; band < bands && this.#changed[band]! > seen; band++) {
        const twice = this.#changedBefore[band]! > seen; // columns of older changes are not kept
        left = twice ? 0 : Math.min(left, this.#left[band]!);
        right = twice ? this.width : Math.max(right, this.#right[band]!);
      }
      const top = first * this.bandHeight;
      rectangles.push(this.#copy(left, top, right - left, Math.min(band * this.bandHeight, this.height) - top));
    }
    return rectangles;
  }

  #copy(x: number, y: number, width: number, height: number): DisplayRectangle {
    const pixels = new Uint8ClampedArray(4 * width * height);
    const words = new Uint32Array(pixels.buffer);
    for (let row = 0; row < height; row++) {
      const from = (y + row) * this.width + x;
      words.set(this.pixels.subarray(from, from + width), row * width);
    }
    return { x, y, width, height, pixels };
  }
}
