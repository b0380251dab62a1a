// The debug workspace over the fake debugger: everything a person does with keys and mouse.
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { mbrDisk } from '../support/images.ts';
import { callApplication, drop, expect, test } from './fixtures.ts';

async function openDebugger(app: Page): Promise<void> {
  await drop(app, [{ name: 'box', content: mbrDisk() }]);
  await app.getByRole('button', { name: 'Create and start' }).click();
  await expect(app.locator('.machine-header .state')).toHaveText('Running');
  await app.getByRole('link', { name: 'Debug', exact: true }).click();
  await expect(app.getByRole('toolbar', { name: 'Stepping' })).toBeVisible();
}

/** Stands at the first instruction of `put_char`, wherever the running guest was. */
async function stopAtPutChar(app: Page): Promise<void> {
  await openDebugger(app);
  await app.keyboard.press('F6');
  await expect(reason(app)).toHaveText('Paused');
  await callApplication(app, 'debug.control', { id: 'box', control: { action: 'run-to', target: 'put_char' } });
  await expect(register(app, 'EIP')).toHaveText('80100080');
}

const reason = (app: Page) => app.locator('.stop-reason');
const pane = (app: Page, name: string) => app.getByRole('region', { name, exact: true }).first();
const register = (app: Page, name: string) => app.getByRole('textbox', { name: new RegExp(`^${name} `) });
const current = (app: Page) => pane(app, 'Disassembly').locator('[aria-current="step"]');
const showPane = async (app: Page, title: string): Promise<void> =>
  app.getByRole('tab', { name: title, exact: true }).click();

async function check(page: Page): Promise<void> {
  const results = await new AxeBuilder({ page }).exclude('.xterm').analyze();
  expect(
    results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`),
  ).toEqual([]);
}

test('keys pause, step into, over and out, and go on', async ({ app }) => {
  await stopAtPutChar(app);
  await expect(current(app)).toContainText('push');
  await app.keyboard.press('F11');
  await expect(register(app, 'EIP')).toHaveText('80100081');
  await expect(register(app, 'EIP')).toHaveClass(/changed/);
  await expect(register(app, 'ESP')).toHaveClass(/changed/);
  await expect(register(app, 'EDI')).not.toHaveClass(/changed/);
  await expect(current(app)).toHaveAttribute('data-address', '80100081');
  await callApplication(app, 'debug.setRegister', { id: 'box', name: 'eip', value: '0x80100052' });
  await expect(current(app)).toContainText('call');
  await app.keyboard.press('F10');
  await expect(register(app, 'EIP')).toHaveText('80100057');
  await callApplication(app, 'debug.setRegister', { id: 'box', name: 'eip', value: '0x80100052' });
  await expect(current(app)).toContainText('call');
  await app.keyboard.press('F11');
  await app.keyboard.press('F11');
  await app.keyboard.press('F11');
  await expect(register(app, 'EIP')).toHaveText('80100083');
  await app.keyboard.press('Shift+F11');
  await expect(register(app, 'EIP')).toHaveText('80100057');
  await app.keyboard.press('F5');
  await expect(reason(app)).toHaveText('Running');
  await expect(app.locator('.pane.stale').first()).toBeVisible();
  await expect(app.locator('.machine-header .state')).toHaveText('Running');
  await app.keyboard.press('F6');
  await expect(app.locator('.machine-header .state')).toHaveText('Paused');
});

test('steps of a held key are all taken', async ({ app }) => {
  await stopAtPutChar(app);
  const before = (await callApplication(app, 'debug.status', { id: 'box' })) as { instructions: number };
  for (let count = 0; count < 40; count++) await app.keyboard.press('F11');
  await expect
    .poll(
      async () =>
        ((await callApplication(app, 'debug.status', { id: 'box' })) as { instructions: number }).instructions,
    )
    .toBe(before.instructions + 40);
});

test('F9 sets and removes a breakpoint; the guest stops at it', async ({ app }) => {
  await stopAtPutChar(app);
  const code = app.getByRole('grid', { name: 'Instructions' });
  await code.focus();
  await app.keyboard.press('ArrowDown');
  await app.keyboard.press('ArrowDown');
  await app.keyboard.press('F9');
  const row = pane(app, 'Breakpoints').getByRole('listitem');
  await expect(row).toContainText('put_char+3h');
  await expect(code.getByRole('button', { name: /^Remove breakpoint 1 at 80100083/ })).toHaveClass(/set/);
  await app.keyboard.press('F5');
  await expect(reason(app)).toContainText('Breakpoint 1');
  await expect(register(app, 'EIP')).toHaveText('80100083');
  await row.getByRole('checkbox').uncheck();
  await expect(code.getByRole('button', { name: /disabled/ })).toHaveClass(/off/);
  await code.focus();
  await app.keyboard.press('F9');
  await expect(row).toHaveCount(0);
});

test('run to the cursor, and to an event', async ({ app }) => {
  await stopAtPutChar(app);
  await pane(app, 'Disassembly').locator('[data-address="80100098"] .a').click();
  await app.keyboard.press('Control+F10');
  await expect(register(app, 'EIP')).toHaveText('80100098');
  await expect(reason(app)).toContainText('Run to put_char+18h');
  await app.getByRole('button', { name: 'Run to event' }).click();
  await app.getByRole('menuitem', { name: 'Run to the next interrupt' }).click();
  await expect(register(app, 'EIP')).toHaveText('80100100');
  await app.getByRole('button', { name: 'Run to event' }).click();
  await app.getByRole('menuitem', { name: /^Run until a condition/ }).click();
  await app.getByRole('combobox', { name: 'Condition to run until' }).fill('ebx == 0x6c');
  await app.keyboard.press('Enter');
  await expect(register(app, 'EBX')).toHaveText('0000006c');
  const before = (await callApplication(app, 'debug.status', { id: 'box' })) as { instructions: number };
  await app.keyboard.press('Control+k');
  await app.keyboard.type('many steps');
  await app.keyboard.press('Enter');
  await app.getByRole('textbox', { name: 'Number of steps' }).fill('1000');
  await app.getByRole('button', { name: 'Step', exact: true }).click();
  await expect(app.locator('.toolbar .count')).toHaveText(
    `${(before.instructions + 1000).toLocaleString('en').replaceAll(',', ' ')} instructions`,
  );
});

test('a register and a flag are edited; what is wrong is told', async ({ app }) => {
  await stopAtPutChar(app);
  await register(app, 'EAX').dblclick();
  const field = app.getByRole('textbox', { name: 'New value of EAX' });
  await field.fill('nonsense_');
  await field.press('Enter');
  await expect(app.getByRole('alert').filter({ hasText: 'no register or symbol' })).toBeVisible();
  await field.fill('1234abcd');
  await field.press('Enter');
  await expect(register(app, 'EAX')).toHaveText('1234abcd');
  await register(app, 'EBX').focus();
  await app.keyboard.press('Enter');
  await app.getByRole('textbox', { name: 'New value of EBX' }).fill('kmain+2');
  await app.keyboard.press('Enter');
  await expect(register(app, 'EBX')).toHaveText('80100042');
  const flag = app.getByRole('button', { name: 'CF', exact: true });
  await expect(flag).toHaveAttribute('aria-pressed', 'false');
  await flag.dblclick();
  await expect(flag).toHaveAttribute('aria-pressed', 'true');
  const state = (await callApplication(app, 'debug.evaluate', { id: 'box', expression: 'eflags' })) as {
    value: string;
  };
  expect(parseInt(state.value, 16) & 1).toBe(1);
});

test('breakpoints of other kinds are made, edited and removed in the dialog', async ({ app }) => {
  await stopAtPutChar(app);
  await app.getByRole('button', { name: 'Add a breakpoint' }).click();
  const dialog = app.getByRole('dialog');
  await dialog.getByRole('combobox', { name: 'Stop at' }).click();
  await app.getByRole('option', { name: 'I/O port' }).click();
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(dialog.getByRole('alert').filter({ hasText: 'hexadecimal number' })).toBeVisible();
  await dialog.getByRole('textbox', { name: 'First port' }).fill('3F8h');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(dialog).toHaveCount(0);
  const row = pane(app, 'Breakpoints').getByRole('listitem');
  await expect(row).toContainText('port 3F8h');
  await app.keyboard.press('F5');
  await expect(reason(app)).toContainText('port 3F8h');
  await row.hover();
  await row.getByRole('button', { name: 'Edit breakpoint 1' }).click();
  await dialog.getByRole('combobox', { name: 'Condition' }).fill('eax == nothing');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog.getByRole('alert').filter({ hasText: 'no register or symbol "nothing"' })).toBeVisible();
  await dialog.getByRole('combobox', { name: 'Condition' }).fill('ebx == 0x6f');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(row).toContainText('if ebx == 0x6f');
  await expect(dialog).toHaveCount(0);
  await app.keyboard.press('F5');
  await expect(reason(app)).toContainText('Breakpoint 1');
  await expect(register(app, 'EBX')).toHaveText('0000006f');
  await row.hover();
  await row.getByRole('button', { name: 'Remove breakpoint 1' }).click();
  await expect(row).toHaveCount(0);
});

test('Ctrl G goes to a symbol from another tab', async ({ app }) => {
  await stopAtPutChar(app);
  await app.getByRole('link', { name: 'Log', exact: true }).click();
  await app.keyboard.press('Control+g');
  const field = app.getByRole('combobox', { name: 'Address or symbol' });
  await field.fill('no_such');
  await field.press('Enter');
  await expect(app.getByRole('alert').filter({ hasText: 'no register or symbol' })).toBeVisible();
  await field.fill('show_i');
  await expect(app.getByRole('option', { name: /show_identity/ })).toBeVisible();
  await field.press('ArrowDown');
  await field.press('Enter');
  await expect(app.getByRole('dialog')).toHaveCount(0);
  await expect(pane(app, 'Disassembly').locator('.line.cursor')).toHaveAttribute('data-address', '801000c0');
});

test('disassembly scrolls by address and follows branches', async ({ app }) => {
  await stopAtPutChar(app);
  const code = app.getByRole('grid', { name: 'Instructions' });
  await pane(app, 'Disassembly').getByRole('combobox', { name: 'Go to address or symbol' }).fill('kmain');
  await app.keyboard.press('Enter');
  await expect(pane(app, 'Disassembly').locator('.line.cursor')).toHaveAttribute('data-address', '80100040');
  await code.locator('[data-address="80100052"] .target').click();
  await expect(pane(app, 'Disassembly').locator('.line.cursor')).toHaveAttribute('data-address', '80100080');
  await code.evaluate((element) => (element.scrollTop = element.scrollHeight));
  await expect.poll(() => code.evaluate((element) => element.scrollHeight)).toBeGreaterThan(170 * 18);
  await code.evaluate((element) => (element.scrollTop = 0));
  await expect(code.locator('[data-address]').first()).toBeVisible();
});

test('memory is shown, edited and searched', async ({ app }) => {
  await stopAtPutChar(app);
  const memory = pane(app, 'Memory');
  await memory.getByRole('combobox', { name: 'Memory address' }).fill('message');
  await app.keyboard.press('Enter');
  await expect(memory.getByRole('row').first()).toContainText('hello from ring ');
  await memory.getByRole('gridcell').first().dblclick();
  const cell = app.getByRole('textbox', { name: 'New value at 80103000' });
  await cell.fill('xyz');
  await cell.press('Enter');
  await expect(memory.getByRole('alert').filter({ hasText: 'not a hexadecimal value' })).toBeVisible();
  await cell.fill('4a');
  await cell.press('Enter');
  await expect(memory.getByRole('row').first()).toContainText('Jello from ring ');
  await memory.getByRole('combobox', { name: 'Shown as' }).click();
  await app.getByRole('option', { name: '32 bit' }).click();
  await expect(memory.getByRole('gridcell').first()).toHaveText('6c6c654a');
  await memory.getByRole('button', { name: 'Search memory' }).click();
  await memory.getByRole('textbox', { name: 'Value to search for' }).fill('from ring');
  await memory.getByRole('textbox', { name: 'From address' }).fill('0x80000000');
  await memory.getByRole('button', { name: 'Search', exact: true }).click();
  await expect(memory.getByRole('progressbar')).toBeVisible();
  await memory.getByRole('group', { name: 'Places found' }).getByRole('button').first().click();
  await expect(memory.getByRole('combobox', { name: 'Memory address' })).toHaveValue('0x80103006');
  await memory.getByRole('combobox', { name: 'Memory address' }).fill('0x100000000');
  await app.keyboard.press('Enter');
  await memory.getByRole('button', { name: 'Physical' }).click();
  await expect(memory.getByRole('gridcell').first()).toBeVisible();
});

test('a page is walked and each bit explained', async ({ app }) => {
  await stopAtPutChar(app);
  const walk = pane(app, 'Page walk');
  await app.getByRole('combobox', { name: 'Address to walk' }).fill('ticks');
  await app.keyboard.press('Enter');
  await expect(walk.getByRole('listitem').filter({ hasText: 'Physical' })).toContainText('00104004');
  await walk.getByRole('button', { name: /^Bits of the PTE/ }).click();
  await expect(walk).toContainText('written to');
  await app.getByRole('combobox', { name: 'Address to walk' }).fill('0x80200000');
  await app.keyboard.press('Enter');
  await expect(walk).toContainText('raises a page fault');
});

test('tables, maps, devices, symbols, Linux and source have their panes', async ({ app }) => {
  await stopAtPutChar(app);
  await showPane(app, 'Descriptors');
  await expect(app.getByRole('grid', { name: 'Entries of the GDT' })).toContainText('code, readable, accessed');
  await app.getByRole('button', { name: 'IDT', exact: true }).click();
  await expect(app.getByRole('grid', { name: 'Entries of the IDT' })).toContainText('panic');
  await app.getByRole('button', { name: 'TSS', exact: true }).click();
  await expect(app.getByRole('table', { name: 'Task state' })).toContainText('ESP0');
  await app.getByRole('button', { name: 'LDT', exact: true }).click();
  await expect(pane(app, 'Descriptors')).toContainText('null selector');
  for (const [tab, text] of [
    ['Address space', 'supervisor, read-only'],
    ['TLB', 'supervisor'],
    ['Physical map', 'vga0'],
  ] as const) {
    await showPane(app, tab);
    await expect(pane(app, tab)).toContainText(text);
  }
  await showPane(app, 'Devices');
  await pane(app, 'Devices').getByText('8254 timer').click();
  await pane(app, 'Devices').getByText('counter 0').click();
  await expect(pane(app, 'Devices')).toContainText('11932');
  await showPane(app, 'Symbols');
  await expect(pane(app, 'Symbols')).toContainText('kernel.elf');
  await app.getByRole('textbox', { name: 'Filter symbols' }).fill('timer');
  await expect(app.getByRole('grid', { name: 'Symbols' }).getByRole('row')).toHaveCount(2);
  await showPane(app, 'Linux');
  await expect(pane(app, 'Linux')).toContainText('init_task');
  await app.getByRole('button', { name: 'Modules' }).click();
  await expect(pane(app, 'Linux')).toContainText('virtio_blk');
  await showPane(app, 'Source');
  await expect(pane(app, 'Source').locator('[aria-current]')).toContainText('static void put_char');
  await app.getByRole('button', { name: 'Set a breakpoint at line 11' }).click();
  await expect(pane(app, 'Breakpoints').getByRole('listitem')).toContainText('put_char+');
  await showPane(app, 'Watch');
  await app.getByRole('combobox', { name: 'Expression to watch' }).fill('[rounds]');
  await app.keyboard.press('Enter');
  await expect(pane(app, 'Watch').getByRole('listitem')).toContainText('[rounds]');
});

test('the monitor completes, answers and remembers', async ({ app }) => {
  await stopAtPutChar(app);
  await pane(app, 'Monitor').locator('.terminal-host').click();
  await app.keyboard.type('pri');
  await app.keyboard.press('Tab');
  await app.keyboard.type('kma');
  await app.keyboard.press('Tab');
  const rows = pane(app, 'Monitor').locator('.xterm-rows');
  await expect(rows).toContainText('print kmain');
  await app.keyboard.press('Enter');
  await expect(rows).toContainText('80100040h');
  await app.keyboard.type('step');
  await app.keyboard.press('Enter');
  await expect(register(app, 'EIP')).toHaveText('80100081');
  await app.keyboard.press('ArrowUp');
  await app.keyboard.press('ArrowUp');
  await app.keyboard.press('Enter');
  await expect(rows).toContainText(/(80100040h[^]*){2}/);
  await app.keyboard.press('F11');
  await expect(register(app, 'EIP')).toHaveText('80100083');
});

test('the layout is kept and can be reset; panes close and open', async ({ app }) => {
  await stopAtPutChar(app);
  await app.getByRole('button', { name: 'Panes' }).click();
  await app.getByRole('menuitem', { name: /^Console/ }).click();
  await expect(app.getByRole('tab', { name: 'Console' })).toHaveCount(0);
  await app.waitForTimeout(500);
  await app.reload();
  await expect(register(app, 'EIP')).toBeVisible();
  await expect(app.getByRole('tab', { name: 'Console' })).toHaveCount(0);
  await app.getByRole('button', { name: 'Panes' }).click();
  await app.getByRole('menuitem', { name: 'Default layout' }).click();
  await expect(app.getByRole('tab', { name: 'Console' })).toHaveCount(1);
  await app.keyboard.press('Control+k');
  await app.keyboard.type('show pane tlb');
  await app.keyboard.press('Enter');
  await expect(app.getByRole('tab', { name: 'TLB' })).toHaveAttribute('aria-selected', 'true');
});

test('a machine that is off starts paused from here', async ({ app }) => {
  await openDebugger(app);
  await callApplication(app, 'machines.powerOff', { id: 'box' });
  await expect(app.getByText('The machine is off')).toBeVisible();
  await app.getByRole('button', { name: 'Start paused' }).click();
  await expect(app.locator('.machine-header .state')).toHaveText('Paused');
  await expect(register(app, 'EIP')).toHaveText('80100000');
});

test('the machine list is a rail here and can be opened', async ({ app }) => {
  await openDebugger(app);
  await expect(app.locator('.rail')).toBeVisible();
  await app.getByRole('button', { name: 'Show the machine list' }).click();
  await expect(app.locator('.sidebar')).toBeVisible();
  await app.keyboard.press('Control+b');
  await expect(app.locator('.rail')).toBeVisible();
  await app.getByRole('link', { name: 'Log', exact: true }).click();
  await expect(app.locator('.sidebar')).toBeVisible();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test('the workspace, its panes and dialogs pass axe', async ({ app, shot }) => {
      test.slow();
      await stopAtPutChar(app);
      await app.keyboard.press('F11');
      await app.keyboard.press('F9');
      await app.keyboard.press('F11');
      await expect(register(app, 'EIP')).toHaveText('80100083');
      await app.waitForTimeout(500);
      await check(app);
      await shot(`debug-${colorScheme}`);
      for (const title of ['Source', 'Descriptors', 'Linux', 'Symbols', 'Address space']) await showPane(app, title);
      await app.waitForTimeout(300);
      await check(app);
      await shot(`debug-other-panes-${colorScheme}`);
      for (const title of ['Devices', 'Watch', 'TLB', 'Physical map']) await showPane(app, title);
      await check(app);
      await app.getByRole('button', { name: 'Add a breakpoint' }).click();
      await expect(app.getByRole('dialog')).toBeVisible();
      await check(app);
      await shot(`breakpoint-dialog-${colorScheme}`);
      await app.keyboard.press('Escape');
      await callApplication(app, 'machines.powerOff', { id: 'box' });
      await expect(app.getByText('The machine is off')).toBeVisible();
      await check(app);
    });

    test('1024 x 700 and 4K hold it', async ({ app, shot }) => {
      test.slow();
      await stopAtPutChar(app);
      for (const [width, height] of [
        [1024, 700],
        [3840, 2160],
      ] as const) {
        await app.setViewportSize({ width, height });
        await expect(current(app)).toBeVisible();
        await app.waitForTimeout(400);
        await check(app);
        const overflow = await app.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        expect(overflow).toBe(0);
        await shot(`debug-${width}-${colorScheme}`);
      }
    });
  });
}
