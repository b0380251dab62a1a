// Builds the BIOS fonts (code page 437, one byte a row) from assets/firmware/font8x16.txt and font8x8.txt.

const blankGlyph = (height) => new Uint8Array(height);
const bits = (text) => [...text].reduce((value, pixel) => (value << 1) | (pixel === '#' ? 1 : 0), 0);

/** Reads bands of glyphs, marks and composition rules. Throws with the line number on a malformed drawing. */
export function parseFont(text, height) {
  const glyphs = new Map();
  const marks = new Map();
  const compositions = [];
  let band = null;
  text.split('\n').forEach((line, index) => {
    const fail = (what) => {
      throw new Error(`font line ${index + 1}: ${what}`);
    };
    if (line.trim() === '') band = null;
    else if (line.startsWith(': ')) {
      const [row, ...names] = line.slice(2).split(' ');
      band = { row: Number(row), names, codes: names.map(codeOf) };
      for (const code of band.codes) if (code !== null) glyphs.set(code, blankGlyph(height));
    } else if (line.startsWith('mark ')) {
      band = { mark: line.slice(5) };
      marks.set(band.mark, []);
    } else if (line.startsWith('compose ')) {
      const [, code, base, mark] = line.split(' ');
      compositions.push({ code: parseInt(code, 16), base, mark });
    } else if (band?.mark) marks.get(band.mark).push(bits(line));
    else if (band) {
      const cells = line.split(' ');
      if (cells.length !== band.codes.length || cells.some((cell) => !/^[.#]{8}$/.test(cell))) fail('not 8 pixels a glyph');
      cells.forEach((cell, column) => {
        const code = band.codes[column];
        if (code !== null) glyphs.get(code)[band.row] = bits(cell);
      });
      band.row++;
      if (band.row > height) fail('too many rows');
    } else if (!line.startsWith('#')) fail('unexpected');
  });
  return { glyphs, marks, compositions };
}

function codeOf(name) {
  if (name === 'none') return null;
  if (/^x[0-9a-f]{2}$/.test(name)) return parseInt(name.slice(1), 16);
  if (name.length !== 1) throw new Error(`unknown glyph name ${name}`);
  return name.charCodeAt(0);
}

/** Weights (0 none, 1 single, 2 double) up, right, down, left of B3h-DAh except the blocks. */
const lines = {
  b3: '1010', b4: '1011', b5: '1012', b6: '2021', b7: '0021', b8: '0012', b9: '2022', ba: '2020', bb: '0022', bc: '2002',
  bd: '2001', be: '1002', bf: '0011', c0: '1100', c1: '1101', c2: '0111', c3: '1110', c4: '0101', c5: '1111', c6: '1210',
  c7: '2120', c8: '2200', c9: '0220', ca: '2202', cb: '0222', cc: '2220', cd: '0202', ce: '2222', cf: '1202', d0: '2101',
  d1: '0212', d2: '0121', d3: '2100', d4: '1200', d5: '0210', d6: '0120', d7: '2121', d8: '1212', d9: '1001', da: '0110',
};

/** Vertical strokes are two pixels wide, horizontal ones one: the look of 720x400. */
function lineGlyph(weights, height) {
  const [up, right, down, left] = [...weights].map(Number);
  const middle = height === 8 ? 3 : 7;
  const gap = height === 8 ? 1 : 1;
  const pixels = Array.from({ length: height }, () => new Array(8).fill(false));
  const columns = { 1: [[3, 4]], 2: [[1, 2], [5, 6]] };
  const rows = { 1: [middle], 2: [middle - gap, middle + gap] };
  const vertical = Math.max(up, down);
  const horizontal = Math.max(left, right);
  const top = horizontal === 2 ? middle - gap : middle;
  const bottom = horizontal === 2 ? middle + gap : middle;
  const fill = (x0, x1, y0, y1) => {
    for (let y = y0; y <= y1; y++) for (let x = x0; x <= x1; x++) pixels[y][x] = true;
  };
  const west = vertical === 2 ? 1 : 3;
  const east = vertical === 2 ? 6 : 4;
  if (up) columns[up].forEach(([x0, x1], side) => fill(x0, x1, 0, innerEnd(side, up, left, right, top, bottom)));
  if (down) columns[down].forEach(([x0, x1], side) => fill(x0, x1, innerStart(side, down, left, right, top, bottom), height - 1));
  if (left) rows[left].forEach((y, side) => fill(0, sideEnd(side, left, up, down, west, east), y, y));
  if (right) rows[right].forEach((y, side) => fill(sideStart(side, right, up, down, west, east), 7, y, y));
  return Uint8Array.from(pixels.map((row) => row.reduce((value, pixel) => (value << 1) | (pixel ? 1 : 0), 0)));
}

/** How far a stroke from above reaches: the inner line of a double corner stops at the inner line across. */
function innerEnd(side, weight, left, right, top, bottom) {
  if (weight === 1) return left === 0 && right === 0 ? bottom : left === 2 && right === 2 ? top : bottom;
  const across = side === 0 ? left : right;
  return across ? top : bottom;
}

function innerStart(side, weight, left, right, top, bottom) {
  if (weight === 1) return left === 2 && right === 2 ? bottom : top;
  const across = side === 0 ? left : right;
  return across ? bottom : top;
}

function sideEnd(side, weight, up, down, west, east) {
  const inward = west === 1 ? 2 : 4;
  if (weight === 1) return up === 2 && down === 2 ? 2 : east;
  const across = side === 0 ? up : down;
  return across ? inward : east;
}

function sideStart(side, weight, up, down, west, east) {
  const inward = east === 6 ? 5 : 3;
  if (weight === 1) return up === 2 && down === 2 ? 5 : west;
  const across = side === 0 ? up : down;
  return across ? inward : west;
}

function addGenerated(glyphs, height) {
  const rows = (row) => Uint8Array.from({ length: height }, (_, y) => row(y));
  for (const [code, weights] of Object.entries(lines)) glyphs.set(parseInt(code, 16), lineGlyph(weights, height));
  glyphs.set(0xb0, rows((y) => (y & 1 ? 0x44 : 0x11)));
  glyphs.set(0xb1, rows((y) => (y & 1 ? 0xaa : 0x55)));
  glyphs.set(0xb2, rows((y) => (y & 1 ? 0xbb : 0xee)));
  glyphs.set(0xdb, rows(() => 0xff));
  glyphs.set(0xdc, rows((y) => (y >= height / 2 ? 0xff : 0)));
  glyphs.set(0xdd, rows(() => 0xf0));
  glyphs.set(0xde, rows(() => 0x0f));
  glyphs.set(0xdf, rows((y) => (y < height / 2 ? 0xff : 0)));
  // The integral's halves continue each other.
  const shaft = (from, to, hook) => rows((y) => (y === from - 1 ? hook : y >= from && y <= to ? 0x18 : 0));
  const half = height / 2;
  glyphs.set(0xf4, height === 16 ? rows((y) => (y < 2 ? 0 : y === 2 ? 0x0e : y === 3 ? 0x1b : 0x18)) : shaft(1, height - 1, 0x0e));
  glyphs.set(0xf5, rows((y) => (y < half ? 0x18 : y === half ? 0xd8 : y === half + 1 ? 0x70 : 0)));
}

/** Capitals give up two rows for their accents; cedillas hang below. */
function compose({ glyphs, marks, compositions }) {
  for (const { code, base, mark } of compositions) {
    const capital = base.length === 1 && base >= 'A' && base <= 'Z';
    const glyph = Uint8Array.from(glyphs.get(base === 'dotless' ? 0x69 : base.charCodeAt(0)));
    if (base === 'dotless') glyph.fill(0, 0, 5);
    if (mark === 'cedilla') glyph.set([0x18, 0x0c, 0x38], 12);
    else {
      if (capital) {
        const letter = glyph.slice(2, 12);
        const squeezed = [0, 1, 2, 4, 5, 6, 8, 9].map((row) => letter[row]);
        glyph.fill(0, 0, 12);
        glyph.set(squeezed, 4);
      }
      glyph.set(marks.get(mark), capital ? 0 : 1);
    }
    glyphs.set(code, glyph);
  }
}

const pack = (glyphs, height) => {
  const bytes = new Uint8Array(256 * height);
  for (let code = 0; code < 256; code++) bytes.set(glyphs.get(code) ?? blankGlyph(height), code * height);
  return bytes;
};

const inverse = (glyph) => glyph.map((row) => ~row & 0xff);

export function buildFonts(source16, source8) {
  const large = parseFont(source16, 16);
  compose(large);
  addGenerated(large.glyphs, 16);
  large.glyphs.set(0x08, inverse(large.glyphs.get(0x07)));
  large.glyphs.set(0x0a, inverse(large.glyphs.get(0x09)));
  const font16 = pack(large.glyphs, 16);
  // Rows 0 and 15 are the ones that letters can spare.
  const font14 = new Uint8Array(256 * 14);
  for (let code = 0; code < 256; code++) font14.set(font16.subarray(code * 16 + 1, code * 16 + 15), code * 14);
  const small = parseFont(source8, 8);
  addGenerated(small.glyphs, 8);
  for (let code = 1; code < 256; code++) if (!small.glyphs.has(code)) small.glyphs.set(code, halve(font16.subarray(code * 16, code * 16 + 16)));
  return { font16, font14, font8: pack(small.glyphs, 8) };
}

/** Two rows become one, from the first inked row so that strokes of one row survive. */
const halve = (glyph) => Uint8Array.from({ length: 8 }, (_, y) => glyph[2 * y] | glyph[2 * y + 1]);
