// Entry of the command line.
import { runCli } from './program.ts';

const status = await runCli(process.argv.slice(2), {
  input: process.stdin,
  output: process.stdout,
  errors: process.stderr,
  loadEngine: () => import('../../core/api/engine.ts'),
});
// What was printed goes out before the process ends.
process.stdout.write('', () => process.exit(status));
