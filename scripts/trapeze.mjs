#!/usr/bin/env node
// The command line under any Node from 20 on: runs it on the Node 24 that the product is made for.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { enginePath } from './runtime.mjs';

const entry = fileURLToPath(new URL('../src-main/cli/main.ts', import.meta.url));
const node = enginePath();
if (node === null) {
  console.error('trapeze: Node 24 is missing; run "npm ci" in the repository first');
  process.exit(2);
}
const flags = ['--wasm-tiering-budget=300000', '--disable-warning=ExperimentalWarning'];
const child = spawn(node, [...flags, entry, ...process.argv.slice(2)], { stdio: 'inherit' });
// The terminal sends its signals to the whole group; those sent to this process alone are passed on.
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
process.on('SIGINT', () => undefined);
child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 128 + 2));
