// US keyboard: scan code -> what INT 16h returns (IBM PC/AT Technical Reference, keyboard encoding).

/** Scan code in the high byte, character in the low one; null: nothing is stored. */
export interface KeyCodes {
  readonly plain: number | null;
  readonly shift: number | null;
  readonly control: number | null;
  readonly alt: number | null;
  /** `letter`: Caps Lock inverts Shift; `pad`: Num Lock does. */
  readonly kind: 'key' | 'letter' | 'pad';
}

const keys = new Map<number, KeyCodes>();

const code = (scan: number, character: string | number): number =>
  (scan << 8) | (typeof character === 'number' ? character : character.charCodeAt(0));

function row(scan: number, plain: string, shifted: string, alt: (scan: number) => number): void {
  for (let index = 0; index < plain.length; index++) {
    const at = scan + index;
    const letter = plain[index] >= 'a' && plain[index] <= 'z';
    keys.set(at, {
      plain: code(at, plain[index]),
      shift: code(at, shifted[index]),
      control: letter ? code(at, plain.charCodeAt(index) & 0x1f) : (controls[plain[index]] ?? null),
      alt: alt(at),
      kind: letter ? 'letter' : 'key',
    });
  }
}

const controls: Readonly<Record<string, number>> = {
  '2': 0x0300,
  '6': 0x071e,
  '-': 0x0c1f,
  '[': 0x1a1b,
  ']': 0x1b1d,
  '\\': 0x2b1c,
  ' ': 0x3920,
};

row(0x02, '1234567890-=', '!@#$%^&*()_+', (scan) => (scan + 0x76) << 8);
row(0x10, 'qwertyuiop[]', 'QWERTYUIOP{}', (scan) => scan << 8);
row(0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~', (scan) => scan << 8);
row(0x2b, '\\zxcvbnm,./', '|ZXCVBNM<>?', (scan) => scan << 8);
row(0x39, ' ', ' ', () => 0x3920);
row(0x56, '\\', '|', (scan) => scan << 8);

const set = (scan: number, plain: number, shift: number | null, control: number | null, alt: number | null): void => {
  keys.set(scan, { plain, shift, control, alt, kind: 'key' });
};
set(0x01, 0x011b, 0x011b, 0x011b, 0x0100);
set(0x0e, 0x0e08, 0x0e08, 0x0e7f, 0x0e00);
set(0x0f, 0x0f09, 0x0f00, 0x9400, 0xa500);
set(0x1c, 0x1c0d, 0x1c0d, 0x1c0a, 0x1c00);
for (let index = 0; index < 10; index++) {
  set(0x3b + index, (0x3b + index) << 8, (0x54 + index) << 8, (0x5e + index) << 8, (0x68 + index) << 8);
}
set(0x57, 0x8500, 0x8700, 0x8900, 0x8b00);
set(0x58, 0x8600, 0x8800, 0x8a00, 0x8c00);
// * - + of the key pad.
set(0x37, 0x372a, 0x372a, 0x9600, 0x3700);
set(0x4a, 0x4a2d, 0x4a2d, 0x8e00, 0x4a00);
set(0x4e, 0x4e2b, 0x4e2b, 0x9000, 0x4e00);

const padControls = [0x77, 0x8d, 0x84, 0, 0x73, 0x8f, 0x74, 0, 0x75, 0x91, 0x76, 0x92, 0x93];
'789-456+1230.'.split('').forEach((character, index) => {
  if (character === '-' || character === '+') return;
  const scan = 0x47 + index;
  const plain = scan === 0x4c ? 0x4c00 : scan << 8;
  keys.set(scan, { plain, shift: code(scan, character), control: padControls[index] << 8, alt: null, kind: 'pad' });
});

/** Keys of the grey blocks after an E0h prefix, with E0h as the character for INT 16h AH=10h. */
const extended = new Map<number, KeyCodes>([
  [0x1c, { plain: 0xe00d, shift: 0xe00d, control: 0xe00a, alt: 0xa600, kind: 'key' }],
  [0x35, { plain: 0xe02f, shift: 0xe02f, control: 0x9500, alt: 0xa400, kind: 'key' }],
]);
const greyAlt = new Map([
  [0x47, 0x97], [0x48, 0x98], [0x49, 0x99], [0x4b, 0x9b], [0x4d, 0x9d],
  [0x4f, 0x9f], [0x50, 0xa0], [0x51, 0xa1], [0x52, 0xa2], [0x53, 0xa3],
]);
for (const [scan, alt] of greyAlt) {
  const plain = (scan << 8) | 0xe0;
  const control = (padControls[scan - 0x47] << 8) | 0xe0;
  extended.set(scan, { plain, shift: plain, control, alt: alt << 8, kind: 'key' });
}

export const plainKeys: ReadonlyMap<number, KeyCodes> = keys;
export const extendedKeys: ReadonlyMap<number, KeyCodes> = extended;
