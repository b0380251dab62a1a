// The layer law is only worth something if it bites.
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../../support/folders.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const cruiser = path.join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

function cruise(folder: string): { status: number | null; text: string } {
  const present = ['core', 'src-main', 'src-renderer'].filter((name) => fs.existsSync(path.join(folder, name)));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [cruiser, '--config', path.join(root, '.dependency-cruiser.mjs'), ...present],
    {
      cwd: folder,
      encoding: 'utf8',
    },
  );
  return { status, text: stdout + stderr };
}

const folder = testFolder();
fs.copyFileSync(path.join(root, 'tsconfig.base.json'), path.join(folder, 'tsconfig.base.json'));
// Packages are found from the scratch folder as from the repository.
fs.symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));

/** A scratch tree with one file that imports another. */
function importing(
  from: string,
  to: string,
  statement = `import { thing } from 'TARGET';\nexport const x = thing;\n`,
): string {
  for (const name of ['core', 'src-main', 'src-renderer'])
    fs.rmSync(path.join(folder, name), { recursive: true, force: true });
  if (to.endsWith('.ts')) {
    fs.mkdirSync(path.dirname(path.join(folder, to)), { recursive: true });
    fs.writeFileSync(path.join(folder, to), 'export const thing = 1;\nexport type thing = number;\n');
  }
  fs.mkdirSync(path.dirname(path.join(folder, from)), { recursive: true });
  const relative = to.endsWith('.ts') ? path.relative(path.dirname(from), to) : to;
  const target = to.endsWith('.ts') && !relative.startsWith('.') ? `./${relative}` : relative;
  fs.writeFileSync(path.join(folder, from), statement.replace('TARGET', target));
  return cruise(folder).text;
}

describe('a forbidden import is found', () => {
  it.each([
    ['core/devices/timer/a.ts', 'core/devices/video/b.ts', /devices-know-no-device/],
    ['core/devices/timer/a.ts', 'core/chipset/b.ts', /devices-imports/],
    ['core/cpu/system/a.ts', 'core/devices/timer/b.ts', /cpu-imports/],
    ['core/cpu/semantics/a.ts', 'core/cpu/interpreter/b.ts', /semantics-over-expressions/],
    ['core/base/a.ts', 'core/host/b.ts', /base-imports/],
    ['core/api/a.ts', 'src-main/application/b.ts', /api-imports/],
    ['core/bus/a.ts', 'node:fs', /bus-packages/],
    ['core/machine/a.ts', 'ws', /machine-packages/],
    ['src-main/application/a.ts', 'core/api/engine.ts', /application-imports/],
    ['src-main/server/a.ts', 'src-main/electron/b.ts', /server-imports/],
    ['src-main/electron/a.ts', 'src-main/vm-host/nodeHost.ts', /electron-imports/],
    ['src-renderer/a.ts', 'core/api/engine.ts', /renderer-imports/],
    ['src-renderer/a.ts', 'core/api/vmProcess.ts', /renderer-imports/],
    ['src-renderer/a.ts', 'core/machine/machine.ts', /renderer-imports-types-only/],
    ['src-renderer/a.ts', 'src-main/application/b.ts', /renderer-imports/],
    ['core/new/a.ts', 'core/new/b.ts', /every-layer-is-known/],
    ['core/base/a.ts', './nowhere.js', /resolvable/],
  ])('%s -> %s', (from, to, rule) => {
    expect(importing(from, to)).toMatch(rule);
  });

  it('but a type import is allowed where only types are', () => {
    const statement = `import type { thing } from 'TARGET';\nexport const x: thing = 1;\n`;
    expect(importing('src-renderer/a.ts', 'core/machine/machine.ts', statement)).toMatch(/no dependency violations/);
  });
});

it('the repository obeys', () => {
  expect(cruise(root)).toMatchObject({ status: 0 });
});

it('core compiles without Node and DOM, and a use of either is an error', () => {
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  const options = JSON.parse(fs.readFileSync(path.join(root, 'tsconfig.base.json'), 'utf8')) as {
    compilerOptions: { types: string[]; lib: string[] };
  };
  expect(options.compilerOptions.types).toEqual([]);
  expect(options.compilerOptions.lib.join()).not.toMatch(/DOM/);
  const scratch = path.join(folder, 'types');
  fs.mkdirSync(scratch);
  fs.writeFileSync(path.join(scratch, 'a.ts'), 'export const a = [process, document];\n');
  fs.writeFileSync(
    path.join(scratch, 'tsconfig.json'),
    JSON.stringify({ extends: path.join(root, 'tsconfig.base.json'), include: ['a.ts'] }),
  );
  const check = () => execFileSync(process.execPath, [tsc, '-p', scratch], { encoding: 'utf8', stdio: 'pipe' });
  expect(check).toThrow(/Command failed/);
});

it('every folder of a layer has a README of at most 10 lines', () => {
  const folders = ['core', 'src-main'].flatMap((top) =>
    fs
      .readdirSync(path.join(root, top), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${top}/${entry.name}`),
  );
  const wrong = folders.filter((name) => {
    const file = path.join(root, name, 'README.md');
    return !fs.existsSync(file) || fs.readFileSync(file, 'utf8').trimEnd().split('\n').length > 10;
  });
  expect(wrong).toEqual([]);
});

it('colours stand in the tokens only', () => {
  const files = fs
    .readdirSync(path.join(root, 'src-renderer'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(vue|css)$/.test(name) && !name.endsWith('tokens.css'));
  const literal = /#[0-9a-f]{3,8}\b(?![^<]*<\/script>)|\brgba?\(|\bhsla?\(/i;
  const wrong = files.filter((name) => {
    const text = fs.readFileSync(path.join(root, 'src-renderer', name), 'utf8');
    const styles = name.endsWith('.css') ? text : (/<style[^>]*>([\s\S]*)<\/style>/.exec(text)?.[1] ?? '');
    return literal.test(styles);
  });
  expect(wrong).toEqual([]);
});
