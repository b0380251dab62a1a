// The trap inspector over the real engine: exactly the traps that the tour's instructions must make, in their order.
import path from 'node:path';
import type { Page } from '@playwright/test';
import { callApplication, expect, expectScreen, root, test } from './fixtures.ts';

const id = 'tour-of-virtualization';
test.use({
  vmEntry: path.join(root, 'src-main/vm-host/main.ts'),
  tour: path.join(root, 'assets/guests/tour/tour.img'),
  colorScheme: 'dark',
});

/** probes.inc, first table: each must trap. The code as a pattern, what the processor raises, its error code. */
const TRAPPING: readonly [RegExp, RegExp, RegExp][] = [
  [/^cli$/, /#GP/, /^$/],
  [/^hlt$/, /#GP/, /^$/],
  [/^in al,60h$/, /#GP/, /^$/],
  [/^mov eax,cr0$/, /#GP/, /^$/],
  [/^lgdt \[/, /#GP/, /^$/],
  [/^ltr ax$/, /#GP/, /^$/],
  [/^mov ds,e?ax$/, /#GP/, /error 10h/],
  [/^mov eax,\[30000h\]$/, /Touch of 00030000h/, /error 5h/],
];
/** The second: none traps on a processor without UMIP; of these the hypervisor is asked about the system's registers. */
const ANSWERED: readonly [RegExp, RegExp][] = [
  [/^smsw ax$/, /CR0 read/],
  [/^sgdt \[/, /Store GDTR/],
  [/^sidt \[/, /Store IDTR/],
  [/^sldt ax$/, /Store LDTR/],
  [/^str ax$/, /Store TR/],
];
/** How often chapter 4 executes each in ring 3: the probe of POPF uses PUSHF twice, that of PUSHF once. */
const SILENT_COUNTS: Readonly<Record<string, number>> = {
  POPF: 1,
  PUSHF: 3,
  SMSW: 1,
  SGDT: 1,
  SIDT: 1,
  SLDT: 1,
  STR: 1,
  LAR: 1,
  LSL: 1,
  VERR: 1,
};

async function openTraps(app: Page): Promise<void> {
  await app.getByRole('button', { name: 'Start the tour' }).click();
  await expectScreen(app, id, /chapter 1 of 7/);
  await app.getByRole('link', { name: 'Traps', exact: true }).click();
  await expect(rows(app).nth(5)).toBeVisible();
  await app.getByRole('textbox', { name: 'Filter exits' }).fill('ring:3');
  await expect(app.getByText('No exit that is kept matches the filter.')).toBeVisible();
}
const rows = (app: Page) => app.getByRole('grid', { name: 'Exits' }).locator('.grid-row');
/** Make and break of one key. */
const press = (app: Page, scanCode: number) =>
  callApplication(app, 'console.keys', { id, scanCodes: [scanCode, scanCode | 0x80] });
const KEY = { 3: 4, 4: 5, 5: 6, b: 0x30, m: 0x32 } as const;

interface Listed {
  readonly code: string;
  readonly cause: string;
  readonly answer: string;
}
/** What the table shows, oldest first, without interrupts, which come when they come; INT 30h is how a probe that was not caught comes back. */
async function listed(app: Page): Promise<Listed[]> {
  const all = await rows(app).evaluateAll((elements) =>
    elements.map((element) => [...element.children].map((cell) => cell.textContent!.trim())),
  );
  return all
    .sort((a, b) => Number(a[0]!.replace(/\D/g, '')) - Number(b[0]!.replace(/\D/g, '')))
    .map((cells) => ({ code: cells[3]!, cause: cells[4]!, answer: cells[6]! }))
    .filter(({ code }) => code !== 'interrupt');
}
/** What the table shows as soon as it is that many. */
async function settled(app: Page, count: number): Promise<Listed[]> {
  await expect.poll(async () => (await listed(app)).length).toBe(count);
  return listed(app);
}
type Audit = { rows: { instruction: string; user: number }[] };
const userCounts = async (app: Page): Promise<Map<string, number>> =>
  new Map(
    ((await callApplication(app, 'traps.audit', { id })) as Audit).rows.map(({ instruction, user }) => [
      instruction,
      user,
    ]),
  );

test('chapter 3: the instructions that trap, all of them and nothing else, in order', async ({ app, shot }) => {
  await openTraps(app);
  await press(app, KEY[3]);
  await expectScreen(app, id, /chapter 3 of 7[^]*So far the x86/);
  const seen = await settled(app, TRAPPING.length);
  for (const [index, [code, cause, answer]] of TRAPPING.entries()) {
    expect(seen[index]!.code).toMatch(code);
    expect(seen[index]!.cause).toMatch(cause);
    expect(seen[index]!.answer).toMatch(answer);
  }
  await shot('real-traps-chapter-3');
});

test('chapter 4: what lies makes no trap, is answered from the guest and counted in user mode', async ({ app }) => {
  await openTraps(app);
  const before = await userCounts(app);
  await press(app, KEY[4]);
  await expectScreen(app, id, /chapter 4 of 7[^]*No trap, no chance/);
  const seen = await settled(app, 11 + ANSWERED.length);
  expect(seen.filter(({ cause }) => cause.startsWith('#'))).toEqual([]);
  expect(seen.filter(({ code }) => code === 'int 30h')).toHaveLength(11);
  const answered = seen.filter(({ code }) => code !== 'int 30h');
  expect(answered).toHaveLength(ANSWERED.length);
  for (const [index, [code, cause]] of ANSWERED.entries()) {
    expect(answered[index]!.code).toMatch(code);
    expect(answered[index]!.cause).toMatch(cause);
  }
  const after = await userCounts(app);
  for (const [instruction, count] of Object.entries(SILENT_COUNTS))
    expect([instruction, after.get(instruction)! - before.get(instruction)!]).toEqual([instruction, count]);
  const sgdt = app.getByRole('region', { name: 'Popek-Goldberg audit' }).getByRole('row').filter({ hasText: 'SGDT' });
  await expect(sgdt.getByRole('cell').nth(3)).toHaveText('1');
});

test('the policy stops the guest at HLT', async ({ app }) => {
  await openTraps(app);
  await app.getByRole('group', { name: 'Policy of HLT' }).getByRole('button', { name: 'Stop' }).click();
  await expect(app.locator('.machine-header .state')).toHaveText('Paused');
  const { stop } = (await callApplication(app, 'debug.status', { id })) as { stop: { kind: string; text: string } };
  expect(stop.kind).toBe('exit');
  expect(stop.text).toMatch(/HLT/i);
});

test('strict user mode makes SGDT fault, as UMIP does', async ({ app }) => {
  await openTraps(app);
  await press(app, KEY[5]);
  await expectScreen(app, id, /chapter 5 of 7/);
  await press(app, KEY.m);
  await expectScreen(app, id, /sgdt \[table\] [^]*SILENT/);
  await app.getByRole('switch', { name: 'Strict user mode' }).click();
  await expect(app.getByRole('switch', { name: 'Strict user mode' })).toHaveAttribute('aria-checked', 'true');
  await press(app, KEY.m);
  await expectScreen(app, id, /sgdt \[table\] [^]*TRAP {3}#GP\(0\)/);
  await app.getByRole('textbox', { name: 'Filter exits' }).fill('ring:3 code:sgdt cause:#GP');
  await expect(rows(app)).toHaveCount(1);
});
