import { describe, expect, it } from 'vitest';
import { GuestKeyboard } from '../../../src-renderer/console/keyboard.ts';
import { scaledSize } from '../../../src-renderer/console/scaling.ts';
import { breakCodes, chord, makeCodes } from '../../../src-renderer/console/scanCodes.ts';
import { bytesText, countText, durationText, middleText } from '../../../src-renderer/components/format.ts';

describe('scan codes, set 1', () => {
  it.each([
    ['KeyA', [0x1e], [0x9e]],
    ['Digit1', [0x02], [0x82]],
    ['Enter', [0x1c], [0x9c]],
    ['ShiftRight', [0x36], [0xb6]],
    ['F10', [0x44], [0xc4]],
    ['F12', [0x58], [0xd8]],
    ['Numpad0', [0x52], [0xd2]],
    ['IntlBackslash', [0x56], [0xd6]],
    ['ArrowUp', [0xe0, 0x48], [0xe0, 0xc8]],
    ['NumpadEnter', [0xe0, 0x1c], [0xe0, 0x9c]],
    ['AltRight', [0xe0, 0x38], [0xe0, 0xb8]],
    ['Delete', [0xe0, 0x53], [0xe0, 0xd3]],
    ['PrintScreen', [0xe0, 0x2a, 0xe0, 0x37], [0xe0, 0xb7, 0xe0, 0xaa]],
    ['Pause', [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5], []],
    ['BrowserHome', [], []],
  ])('%s', (code, make, release) => {
    expect([...makeCodes(code)]).toEqual(make);
    expect([...breakCodes(code)]).toEqual(release);
  });

  it('knows Ctrl Pause as Break and chords as nested', () => {
    expect([...makeCodes('Pause', true)]).toEqual([0xe0, 0x46, 0xe0, 0xc6]);
    expect(chord('ControlLeft', 'AltLeft', 'Delete')).toEqual([0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d]);
  });
});

describe('the captured keyboard', () => {
  const press = (...steps: string[]) => {
    const sent: number[] = [];
    const did: string[] = [];
    const keyboard = new GuestKeyboard({
      send: (codes) => sent.push(...codes),
      release: () => did.push('release'),
      fullScreen: () => did.push('full screen'),
      controlAltDelete: () => did.push('ctrl-alt-del'),
    });
    for (const step of steps) {
      const event = {
        code: step.slice(1),
        ctrlKey: false,
        preventDefault: () => undefined,
        stopPropagation: () => undefined,
      } as KeyboardEvent;
      if (step === '!') keyboard.releaseAll();
      else if (step.startsWith('+')) keyboard.keyDown(event);
      else keyboard.keyUp(event);
    }
    return { sent, did };
  };

  it('sends makes, repeats and breaks', () => {
    expect(press('+KeyA', '+KeyA', '-KeyA').sent).toEqual([0x1e, 0x1e, 0x9e]);
  });
  it('keeps the release key to itself, alone and in its combinations', () => {
    expect(press('+ControlRight', '-ControlRight')).toEqual({ sent: [], did: ['release'] });
    expect(press('+ControlRight', '+KeyF', '-KeyF', '-ControlRight')).toEqual({ sent: [], did: ['full screen'] });
    expect(press('+ControlRight', '+Delete', '-Delete', '-ControlRight')).toEqual({ sent: [], did: ['ctrl-alt-del'] });
  });
  it('lets go of all keys on release', () => {
    expect(press('+ShiftLeft', '+KeyA', '!').sent).toEqual([0x2a, 0x1e, 0xaa, 0x9e]);
  });
  it('sends Print Screen even where only its release is reported', () => {
    expect(press('-PrintScreen').sent).toEqual([0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa]);
  });
});

describe('scaling', () => {
  const [guest, space] = [
    { width: 640, height: 400 },
    { width: 1500, height: 1300 },
  ];
  it('fits, multiplies or leaves alone', () => {
    expect(scaledSize('sharp', guest, space, 1)).toEqual({ width: 1500, height: 937 });
    expect(scaledSize('integer', guest, space, 1)).toEqual({ width: 1280, height: 800 });
    expect(scaledSize('integer', guest, space, 1.5).width * 1.5).toBe(1920);
    expect(scaledSize('original', guest, space, 2)).toEqual({ width: 320, height: 200 });
    expect(scaledSize('integer', guest, { width: 300, height: 300 }, 1)).toEqual(guest);
  });
});

it('writes numbers as people read them', () => {
  expect([bytesText(512), bytesText(1024), bytesText(1536 * 1024), bytesText(20 * 2 ** 30)]).toEqual([
    '512 B',
    '1 kB',
    '1.5 MB',
    '20 GB',
  ]);
  expect([countText(999), countText(3100), countText(2_500_000)]).toEqual(['999', '3.1k', '2.5M']);
  expect([durationText(5000), durationText(61_000), durationText(8_040_000)]).toEqual(['5 s', '1 min', '2 h 14 min']);
  expect(middleText('/a/very/long/path/to/file.iso', 16)).toHaveLength(16);
});
