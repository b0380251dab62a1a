// PNG pictures of a screen (W3C PNG, third edition: 5 data stream, 9 filtering, 11.2 chunks).
import zlib from 'node:zlib';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** RGBA, row by row. */
  readonly pixels: Uint8Array | Uint8ClampedArray;
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, zlib.crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/** Eight-bit RGB: a screen has no transparency. */
export function encodePng(picture: Picture): Uint8Array<ArrayBuffer> {
  const { width, height, pixels } = picture;
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 2, 0, 0, 0], 8);
  const stride = 1 + width * 3;
  const rows = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    let to = y * stride + 1;
    let from = y * width * 4;
    for (let x = 0; x < width; x++, from += 4) {
      rows[to++] = pixels[from]!;
      rows[to++] = pixels[from + 1]!;
      rows[to++] = pixels[from + 2]!;
    }
  }
  const parts = [
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', zlib.deflateSync(rows, { level: 6 })),
    chunk('IEND', new Uint8Array(0)),
  ];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** Smaller by averaging whole areas, so that one-pixel strokes of text stay visible. Never enlarges. */
export function shrink(picture: Picture, maxWidth: number): Picture {
  if (picture.width <= maxWidth) return picture;
  const width = maxWidth;
  const height = Math.max(1, Math.round((picture.height * maxWidth) / picture.width));
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    const top = Math.floor((y * picture.height) / height);
    const bottom = Math.max(top + 1, Math.floor(((y + 1) * picture.height) / height));
    for (let x = 0; x < width; x++) {
      const left = Math.floor((x * picture.width) / width);
      const right = Math.max(left + 1, Math.floor(((x + 1) * picture.width) / width));
      averageInto(picture, left, top, right, bottom, pixels, (y * width + x) * 4);
    }
  }
  return { width, height, pixels };
}

function averageInto(
  picture: Picture,
  left: number,
  top: number,
  right: number,
  bottom: number,
  into: Uint8ClampedArray,
  at: number,
): void {
  const sums = [0, 0, 0];
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const from = (y * picture.width + x) * 4;
      for (let c = 0; c < 3; c++) sums[c]! += picture.pixels[from + c]!;
    }
  }
  const count = (right - left) * (bottom - top);
  for (let c = 0; c < 3; c++) into[at + c] = sums[c]! / count;
  into[at + 3] = 255;
}
