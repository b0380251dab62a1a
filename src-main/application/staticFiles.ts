// The built interface's files, found by URL path and never outside their folder.
import fs from 'node:fs';
import path from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
  '.ico': 'image/x-icon',
};

export interface StaticFile {
  readonly path: string;
  readonly type: string;
}

/** The file for a URL's path, or null. */
export function findStaticFile(folder: string, urlPath: string): StaticFile | null {
  let relative: string;
  try {
    relative = decodeURIComponent(urlPath);
  } catch {
    return null;
  }
  if (relative.includes('\0')) return null;
  const root = path.resolve(folder);
  const file = path.join(root, relative === '/' ? 'index.html' : relative);
  if (!file.startsWith(root + path.sep)) return null;
  const type = TYPES[path.extname(file).toLowerCase()];
  if (type === undefined || !fs.statSync(file, { throwIfNoEntry: false })?.isFile()) return null;
  return { path: file, type };
}
