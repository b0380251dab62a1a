// The debug workspace over the real debugger, on the bundled tour with its own symbols and sources.
import path from 'node:path';
import type { Page } from '@playwright/test';
import { callApplication, expect, expectScreen, root, test } from './fixtures.ts';

const id = 'tour-of-virtualization';
test.use({
  vmEntry: path.join(root, 'src-main/vm-host/main.ts'),
  tour: path.join(root, 'assets/guests/tour/tour.img'),
  colorScheme: 'dark',
});

const reason = (app: Page) => app.locator('.stop-reason');
const pane = (app: Page, name: string) => app.getByRole('region', { name, exact: true }).first();
const register = (app: Page, name: string) => app.getByRole('textbox', { name: new RegExp(`^${name} `) });
const showPane = (app: Page, title: string) => app.getByRole('tab', { name: title, exact: true }).click();
const evaluate = async (app: Page, expression: string): Promise<number> =>
  parseInt(((await callApplication(app, 'debug.evaluate', { id, expression })) as { value: string }).value, 16);

/** EIP as the pane shows it. */
async function expectAt(app: Page, expression: string): Promise<void> {
  await expect(register(app, 'EIP')).toHaveText((await evaluate(app, expression)).toString(16).padStart(8, '0'));
}

async function openDebugger(app: Page): Promise<void> {
  await app.getByRole('button', { name: 'Start the tour' }).click();
  await expectScreen(app, id, /chapter 1 of 7/);
  await app.getByRole('link', { name: 'Debug', exact: true }).click();
  await expect(app.getByRole('toolbar', { name: 'Stepping' })).toBeVisible();
}

async function pause(app: Page): Promise<void> {
  await app.keyboard.press('F6');
  await expect(app.locator('.machine-header .state')).toHaveText('Paused');
}

/** Ctrl G: the code at an expression, with the cursor on it. */
async function goTo(app: Page, expression: string): Promise<void> {
  await app.keyboard.press('Control+g');
  await app.getByRole('combobox', { name: 'Address or symbol', exact: true }).fill(expression);
  await app.keyboard.press('Enter');
  await expect(app.getByRole('dialog')).toHaveCount(0);
  await expect(pane(app, 'Disassembly').locator('.line.cursor')).toHaveAttribute(
    'data-address',
    (await evaluate(app, expression)).toString(16),
  );
}

test('by keys alone: a breakpoint at timer, then into, over and out of calls', async ({ app, shot }) => {
  await openDebugger(app);
  await goTo(app, 'timer');
  await app.keyboard.press('F9');
  await expect(pane(app, 'Breakpoints').getByRole('listitem')).toContainText('timer');
  await expect(reason(app)).toContainText('Breakpoint 1');
  await expectAt(app, 'timer');
  const ticks = await evaluate(app, '[ticks]');
  await app.keyboard.press('F5');
  await expect.poll(() => evaluate(app, '[ticks]')).toBe(ticks + 1);
  await expect(reason(app)).toContainText('Breakpoint 1');
  await expectAt(app, 'timer');
  await shot('real-debugger-breakpoint');
  await app.keyboard.press('F9');
  await expect(pane(app, 'Breakpoints').getByRole('listitem')).toHaveCount(0);
  await app.keyboard.press('F11');
  await expectAt(app, 'timer+1');
  await expect(register(app, 'ESP')).toHaveClass(/changed/);
  await goTo(app, 'wait_key');
  await app.keyboard.press('Control+F10');
  await expectAt(app, 'wait_key');
  await app.keyboard.press('F10');
  await expectAt(app, 'wait_key+5');
  await goTo(app, 'wait_key');
  await app.keyboard.press('Control+F10');
  await expectAt(app, 'wait_key');
  await app.keyboard.press('F11');
  await expectAt(app, 'show_clock');
  await app.keyboard.press('Shift+F11');
  await expectAt(app, 'wait_key+5');
});

test('a register that is edited is what the guest goes on with', async ({ app }) => {
  await openDebugger(app);
  await pause(app);
  // Behind XCHG AL, [key]: what AL holds is the key.
  await goTo(app, 'wait_key+0xe');
  await app.keyboard.press('Control+F10');
  await expectAt(app, 'wait_key+0xe');
  await register(app, 'EAX').focus();
  await app.keyboard.press('Enter');
  await app.getByRole('textbox', { name: 'New value of EAX' }).fill('33');
  await app.keyboard.press('Enter');
  await expect(register(app, 'EAX')).toHaveText('00000033');
  await app.keyboard.press('F5');
  await expectScreen(app, id, /chapter 3 of 7/);
});

test('pages, descriptor tables, source, memory and the monitor tell of the real guest', async ({ app }) => {
  await openDebugger(app);
  await callApplication(app, 'debug.control', { id, control: { action: 'pause' } });
  await callApplication(app, 'debug.control', { id, control: { action: 'run-to', target: 'timer' } });
  await expectAt(app, 'timer');
  const walk = pane(app, 'Page walk');
  const address = app.getByRole('combobox', { name: 'Address to walk' });
  await address.fill('ticks');
  await address.press('Enter');
  await expect(walk.getByRole('listitem').filter({ hasText: /^PTE/ })).toContainText('00031040');
  await expect(walk.getByRole('listitem').filter({ hasText: /^Physical/ })).toContainText('00010968');
  await walk.getByRole('button', { name: /^Bits of the PTE/ }).click();
  await expect(walk).toContainText('has been written');
  await address.fill('0x400000');
  await address.press('Enter');
  await expect(walk).toContainText('PDE 1 is not present');

  await showPane(app, 'Descriptors');
  const gdt = app.getByRole('grid', { name: 'Entries of the GDT' });
  await expect(gdt.getByRole('row')).toHaveCount(7);
  await expect(gdt.getByRole('row').nth(6)).toContainText('32-bit TSS, busy');
  await app.getByRole('button', { name: 'IDT', exact: true }).click();
  const idt = app.getByRole('grid', { name: 'Entries of the IDT' });
  await expect(idt).toContainText('trap0');
  await idt.focus();
  for (let count = 0; count < 6; count++) await app.keyboard.press('PageDown');
  const last = idt.getByRole('row').filter({ hasText: 'user_done' });
  await expect(last).toContainText('present, ring 3');
  await expect(last).toHaveAttribute('aria-selected', 'true');

  await showPane(app, 'Source');
  await expect(pane(app, 'Source').locator('[aria-current]')).toContainText('push    eax');
  await expect(pane(app, 'Source')).toContainText('inc     dword [ticks]');

  const memory = pane(app, 'Memory');
  await memory.getByRole('button', { name: 'Physical' }).click();
  await memory.getByRole('button', { name: 'Search memory' }).click();
  await memory.getByRole('textbox', { name: 'Value to search for' }).fill('This machine does not exist');
  await memory.getByRole('textbox', { name: 'To address' }).fill('0xffffff');
  await memory.getByRole('button', { name: 'Search', exact: true }).click();
  await memory.getByRole('group', { name: 'Places found' }).getByRole('button').last().click();
  await expect(memory.getByRole('row').first()).toContainText('This machine doe');

  await pane(app, 'Monitor').locator('.terminal-host').click();
  await app.keyboard.type('print timer');
  await app.keyboard.press('Enter');
  await expect(pane(app, 'Monitor').locator('.xterm-rows')).toContainText(/103BBh \(66491\) timer/);
});

test('a condition is asked at every hit and stops at one', async ({ app }) => {
  await openDebugger(app);
  await pause(app);
  const aim = (await evaluate(app, '[ticks]')) + 40;
  await goTo(app, 'timer');
  await app.getByRole('button', { name: 'Add a breakpoint' }).click();
  await app.getByRole('combobox', { name: 'Condition' }).fill(`[ticks] == ${aim}`);
  await app.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }).click();
  await expect(app.getByRole('dialog')).toHaveCount(0);
  await app.keyboard.press('F5');
  await expect(reason(app)).toContainText('Breakpoint 1');
  await expectAt(app, 'timer');
  expect(await evaluate(app, '[ticks]')).toBe(aim);
});

test('1000 steps of one request take less than two seconds', async ({ app }) => {
  await openDebugger(app);
  await pause(app);
  // Not HLT, which rightly waits for the guest's time.
  await callApplication(app, 'debug.control', { id, control: { action: 'run-to', target: 'clear' }, waitMs: 0 });
  await callApplication(app, 'console.keys', { id, scanCodes: [4, 0x84] });
  await expectAt(app, 'clear');
  const count = async (): Promise<number> =>
    ((await callApplication(app, 'debug.status', { id })) as { instructions: number }).instructions;
  const before = await count();
  const started = Date.now();
  await callApplication(app, 'debug.control', { id, control: { action: 'step-into', count: 1000 }, waitMs: 5000 });
  const ms = Date.now() - started;
  expect(await count()).toBe(before + 1000);
  expect(ms).toBeLessThan(2000);
});
