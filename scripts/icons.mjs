// Draws the program's icon for packaging from src-renderer/public/icon.svg's paths, with Chromium.
//   node scripts/icons.mjs
// electron-builder derives the other sizes and formats from assets/icons/icon.png.
import fs from 'node:fs';
import path from 'node:path';
import { chromium } from '@playwright/test';
import { root } from './runtime.mjs';

const SIZE = 1024;
const source = fs.readFileSync(path.join(root, 'src-renderer/public/icon.svg'), 'utf8');
const folder = path.join(root, 'assets/icons');
fs.mkdirSync(folder, { recursive: true });

const candidates = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'];
const executablePath = candidates.find((file) => file !== undefined && fs.existsSync(file));
const browser = await chromium.launch({ ...(executablePath && { executablePath }), args: ['--no-sandbox'] });
try {
  const page = await browser.newPage({ viewport: { width: SIZE, height: SIZE } });
  // The mark on a rounded plate: strokes alone would vanish on a dark dock.
  await page.setContent(`<style>
    body { margin: 0; background: transparent }
    .plate { box-sizing: border-box; width: 880px; height: 880px; margin: 72px; padding: 150px; border-radius: 200px; background: #14171f }
    svg { display: block; width: 580px; height: 580px }
  </style><div class="plate">${source}</div>`);
  await page.screenshot({ path: path.join(folder, 'icon.png'), omitBackground: true });
} finally {
  await browser.close();
}
