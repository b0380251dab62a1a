// Writes docs/popek-goldberg.md from the decode tables: every sensitive instruction, by the marks of its row.
//   ./node_modules/.bin/node scripts/auditPage.ts
import fs from 'node:fs';
import path from 'node:path';
import { handlerTable } from '../core/cpu/decode/handlers.ts';
import { audit, auditGroup } from '../core/debugger/traps/audit.ts';
import type { AuditRow } from '../core/api/debug.ts';

export const AUDIT_PAGE = path.join(import.meta.dirname, '../docs/popek-goldberg.md');

const INTRODUCTION = `# Sensitive instructions

Generated from the decode tables by \`scripts/auditPage.ts\`; do not edit.

Popek and Goldberg (1974) call an instruction *sensitive* if it changes the machine's resources (**control**) or if what it does
depends on them (**behaviour**), and *privileged* if it traps when a user program executes it. A machine can be virtualized by
trap and emulate when every sensitive instruction is privileged: then a guest's kernel can run as a user program, and each of
its sensitive instructions comes to the monitor. The x86 is not such a machine. Robin and Irvine (2000) list the instructions
of the Pentium that are sensitive and yet do not trap; they are marked **R** below.

Trapeze runs all guest code in its own engine, so each of them acts on the guest's own machine, whether it would have trapped or not.
The Traps view counts them for the running guest, in user and in kernel mode.
`;

function table(rows: readonly AuditRow[]): string {
  const opcodes = new Map<string, Set<string>>();
  for (const { row } of handlerTable.handlers) {
    if (row.sensitive === undefined) continue;
    const group = auditGroup(row) ?? '';
    opcodes.set(group, (opcodes.get(group) ?? new Set()).add(row.mnemonic));
  }
  const lines = rows.map((row) => {
    const mnemonics = [...(opcodes.get(row.instruction) ?? [])].sort().join(', ');
    return `| ${row.instruction}${row.classic ? ' **R**' : ''} | ${mnemonics} | ${row.sensitivity} | ${row.trapsWhen} | ${row.onBare386} | ${row.here} |`;
  });
  return ['| instruction | mnemonics of the tables | class | traps | under trap and emulate on a bare 386 | here |', '|---|---|---|---|---|---|', ...lines].join('\n');
}

export function auditPage(): string {
  const rows = audit(null);
  return `${INTRODUCTION}
## Sensitive but not privileged

A trap-and-emulate monitor never sees these.

${table(rows.filter((row) => !row.privileged))}

## Sensitive and privileged

These trap anywhere: at any level but 0, or above the I/O privilege level.

${table(rows.filter((row) => row.privileged))}
`;
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === import.meta.filename) fs.writeFileSync(AUDIT_PAGE, auditPage());
