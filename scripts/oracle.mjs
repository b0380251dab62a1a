// npm run oracle -- --seed N --count M [--only MNEMONIC] [--mode 32|64] [--show N] [--summary] [--write FILE]
// Holds our CPU against the processor at hand with fresh cases (test/oracle/README.md).
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { enginePath, root } from './runtime.mjs';

const program = path.join(root, 'test/oracle/oracle.ts');
const { status } = spawnSync(enginePath(), [program, ...process.argv.slice(2)], { stdio: 'inherit' });
process.exit(status ?? 1);
