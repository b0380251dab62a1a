/** What a display adapter shows at one moment. */
export interface DisplayMode {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Character cells if the adapter is in a text mode. */
  readonly text?: { readonly columns: number; readonly rows: number };
}

/** A rectangle of changed pixels, RGBA bytes, row by row, `4 * width * height` long. */
export interface DisplayRectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

/** A display adapter as the machine's consumers see it: pulled, never pushed, so that a hidden console costs nothing. */
export interface DisplaySource {
  mode(): DisplayMode;
  /** The rectangles that changed since the previous call of the same `consumer`; the whole picture at first or when `full`. */
  update(consumer: object, full?: boolean): { mode: DisplayMode; rectangles: DisplayRectangle[] };
  /** The text screen's lines (code page 437 as Unicode, trailing blanks kept), or null in a graphics mode. */
  text(): { lines: string[]; cursor: { row: number; column: number } | null } | null;
}
