// Keys of a modern keyboard (`KeyboardEvent.code`) as PC scan codes, set 1.
// Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard", scan code set 1;
// W3C UI Events KeyboardEvent code values.

const MAKE: Readonly<Record<string, number>> = Object.fromEntries(
  [
    [0x01, 'Escape Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal Backspace Tab'],
    [0x10, 'KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Enter ControlLeft'],
    [0x1e, 'KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backquote ShiftLeft Backslash'],
    [0x2c, 'KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash ShiftRight NumpadMultiply AltLeft Space CapsLock'],
    [0x3b, 'F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NumLock ScrollLock'],
    [0x47, 'Numpad7 Numpad8 Numpad9 NumpadSubtract Numpad4 Numpad5 Numpad6 NumpadAdd Numpad1 Numpad2 Numpad3 Numpad0'],
    [0x53, 'NumpadDecimal'],
    [0x56, 'IntlBackslash F11 F12'],
    [0x70, 'KanaMode'],
    [0x73, 'IntlRo'],
    [0x79, 'Convert'],
    [0x7b, 'NonConvert'],
    [0x7d, 'IntlYen'],
  ].flatMap(([first, names]) => (names as string).split(' ').map((name, index) => [name, (first as number) + index])),
);

/** Keys whose code follows an E0h prefix. */
const EXTENDED: Readonly<Record<string, number>> = {
  NumpadEnter: 0x1c,
  ControlRight: 0x1d,
  NumpadDivide: 0x35,
  AltRight: 0x38,
  Home: 0x47,
  ArrowUp: 0x48,
  PageUp: 0x49,
  ArrowLeft: 0x4b,
  ArrowRight: 0x4d,
  End: 0x4f,
  ArrowDown: 0x50,
  PageDown: 0x51,
  Insert: 0x52,
  Delete: 0x53,
  MetaLeft: 0x5b,
  MetaRight: 0x5c,
  ContextMenu: 0x5d,
  Power: 0x5e,
  Sleep: 0x5f,
  WakeUp: 0x63,
  MediaTrackNext: 0x19,
  MediaTrackPrevious: 0x10,
  MediaStop: 0x24,
  MediaPlayPause: 0x22,
  AudioVolumeMute: 0x20,
  AudioVolumeDown: 0x2e,
  AudioVolumeUp: 0x30,
};

const PREFIX = 0xe0;
const BREAK = 0x80;
/** The E0 2A / E0 AA around Print Screen are fake shifts that tell it from the keypad's asterisk. */
const PRINT_SCREEN = { make: [0xe0, 0x2a, 0xe0, 0x37], break: [0xe0, 0xb7, 0xe0, 0xaa] } as const;
/** Pause sends make and break at once and nothing on release. */
const PAUSE = [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5] as const;
/** With Ctrl held it is Break. */
const CONTROL_BREAK = [0xe0, 0x46, 0xe0, 0xc6] as const;

/** Bytes the keyboard sends when the key goes down (again, while it repeats); empty for keys a PC does not have. */
export function makeCodes(code: string, control = false): readonly number[] {
  if (code === 'PrintScreen') return PRINT_SCREEN.make;
  if (code === 'Pause') return control ? CONTROL_BREAK : PAUSE;
  const plain = MAKE[code];
  if (plain !== undefined) return [plain];
  const extended = EXTENDED[code];
  return extended === undefined ? [] : [PREFIX, extended];
}

/** Bytes when it goes up. */
export function breakCodes(code: string): readonly number[] {
  if (code === 'PrintScreen') return PRINT_SCREEN.break;
  if (code === 'Pause') return [];
  const plain = MAKE[code];
  if (plain !== undefined) return [plain | BREAK];
  const extended = EXTENDED[code];
  return extended === undefined ? [] : [PREFIX, extended | BREAK];
}

/** Keys held together: all down in order, all up in the opposite one. */
export function chord(...codes: string[]): number[] {
  return [
    ...codes.flatMap((code) => [...makeCodes(code)]),
    ...codes.toReversed().flatMap((code) => [...breakCodes(code)]),
  ];
}

export interface SpecialKeys {
  readonly label: string;
  readonly codes: readonly string[];
}

/** What a host or its window manager keeps for itself. */
export const SPECIAL_KEYS: readonly SpecialKeys[] = [
  { label: 'Ctrl Alt Del', codes: ['ControlLeft', 'AltLeft', 'Delete'] },
  { label: 'Ctrl Alt Backspace', codes: ['ControlLeft', 'AltLeft', 'Backspace'] },
  ...[1, 2, 3, 4, 5, 6, 7].map((n) => ({ label: `Ctrl Alt F${n}`, codes: ['ControlLeft', 'AltLeft', `F${n}`] })),
  { label: 'Alt Tab', codes: ['AltLeft', 'Tab'] },
  { label: 'Alt F4', codes: ['AltLeft', 'F4'] },
  { label: 'Escape', codes: ['Escape'] },
  { label: 'Print Screen', codes: ['PrintScreen'] },
  { label: 'Pause', codes: ['Pause'] },
  { label: 'Right Ctrl', codes: ['ControlRight'] },
  { label: 'Windows', codes: ['MetaLeft'] },
  { label: 'Menu', codes: ['ContextMenu'] },
];
