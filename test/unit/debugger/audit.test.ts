// The audit knows every sensitive instruction, and its page is what the tables say.
import fs from 'node:fs';
import { expect, it } from 'vitest';
import { handlerTable } from '../../../core/cpu/decode/handlers.ts';
import { audit, auditGroup } from '../../../core/debugger/traps/audit.ts';
import { AUDIT_PAGE, auditPage } from '../../../scripts/auditPage.ts';

it('has a row for every sensitive instruction of the decode tables', () => {
  const unknown = handlerTable.handlers.filter(({ row }) => row.sensitive !== undefined && auditGroup(row) === null);
  expect(unknown.map(({ row }) => row.mnemonic)).toEqual([]);
});

it('says of each row what its instructions are marked as', () => {
  const groups = new Map(audit(null).map((row) => [row.instruction, row]));
  for (const { row } of handlerTable.handlers) {
    if (row.sensitive === undefined) continue;
    const group = groups.get(auditGroup(row)!)!;
    expect([row.mnemonic, row.sensitive, row.privileged === true]).toEqual([row.mnemonic, group.sensitivity, group.privileged]);
  }
});

it('marks the instructions of Robin and Irvine, none of which traps', () => {
  const classic = audit(null).filter((row) => row.classic);
  expect(classic.every((row) => row.trapsWhen === 'never' && !row.privileged)).toBe(true);
  const names = classic.map((row) => row.instruction).join(' ');
  for (const name of ['SGDT', 'SIDT', 'SLDT', 'SMSW', 'PUSHF', 'POPF', 'LAR', 'LSL', 'VERR', 'VERW', 'PUSH', 'POP', 'CALL', 'JMP', 'INT n', 'RET', 'STR', 'MOV']) {
    expect(names).toContain(name);
  }
});

it('keeps the page in step with the tables (node scripts/auditPage.ts)', () => {
  expect(fs.readFileSync(AUDIT_PAGE, 'utf8')).toBe(auditPage());
});
