import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../../..');
// electron-builder reads its configuration with this very package.
const yaml = createRequire(import.meta.url)('js-yaml') as { load(text: string): Record<string, unknown> };
const configuration = yaml.load(fs.readFileSync(path.join(root, 'electron-builder.yml'), 'utf8'));

function validator() {
  const schema = JSON.parse(
    fs.readFileSync(path.join(root, 'node_modules/app-builder-lib/scheme.json'), 'utf8'),
  ) as object;
  return new Ajv({ strict: false, allErrors: true }).compile(schema);
}

describe('electron-builder.yml', () => {
  it('fits electron-builder’s own schema', () => {
    const validate = validator();
    const valid = validate(configuration);
    expect(validate.errors ?? []).toEqual([]);
    expect(valid).toBe(true);
  });

  it('would not if it were wrong', () => {
    expect(validator()({ ...configuration, electronFuses: { runAsNode: 'perhaps' } })).toBe(false);
    expect(validator()({ ...configuration, filez: [] })).toBe(false);
  });

  it('has an icon of the size that all systems need', () => {
    const { buildResources } = configuration['directories'] as { buildResources: string };
    const png = fs.readFileSync(path.join(root, buildResources, 'icon.png'));
    expect(png.subarray(1, 4).toString('latin1')).toBe('PNG');
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1024, 1024]);
  });

  it('builds for all three systems with fuses set and files listed', () => {
    const targets = (system: string) =>
      (configuration[system] as { target: (string | { target: string })[] }).target.map((entry) =>
        typeof entry === 'string' ? entry : entry.target,
      );
    expect(targets('win')).toEqual(['nsis']);
    expect(targets('mac')).toEqual(['dmg', 'zip']);
    expect(targets('linux')).toEqual(['AppImage', 'deb']);
    expect(configuration['electronFuses']).toMatchObject({
      runAsNode: false,
      onlyLoadAppFromAsar: true,
      enableEmbeddedAsarIntegrityValidation: true,
    });
    expect(configuration['files']).toContain('dist/renderer/**/*');
    expect((configuration['fileAssociations'] as { ext: string }[]).map(({ ext }) => ext)).toContain('iso');
  });
});

it('the gate runs just npm test', () => {
  const lines = fs
    .readFileSync(path.join(root, '.ci/run'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  expect(lines).toEqual(['exec npm test']);
  expect(fs.statSync(path.join(root, '.ci/run')).mode & 0o111).not.toBe(0);
});
