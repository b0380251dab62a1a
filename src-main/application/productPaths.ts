// Where the product's own files are.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root, or that of the installed product. */
export const productFolder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const rendererFolder = path.join(productFolder, 'dist/renderer');
export const vmProcessEntry = path.join(productFolder, 'src-main/vm-host/main.ts');

export function defaultLibraryFolder(): string {
  return process.env['TRAPEZE_LIBRARY'] ?? path.join(os.homedir(), 'Trapeze');
}

export function tourImage(root = productFolder): string | null {
  // A machine reads its disk in place: in a packaged program the image lies beside the archive.
  const file = path.join(root.replace(/app\.asar$/, 'app.asar.unpacked'), 'assets/guests/tour/tour.img');
  return fs.existsSync(file) ? file : null;
}

export function productVersion(root = productFolder): string {
  const manifest = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  return manifest.version;
}
