import type { Client } from '../../core/api/client.ts';
import type { MachineSummary } from '../../core/api/machines.ts';
import { Failure } from '../../core/api/failure.ts';

/** Saves the guest's screen as a PNG file through the browser's download. */
export async function saveScreenshot(client: Client, machine: MachineSummary): Promise<void> {
  const picture = await client.call('console.screenshot', { id: machine.id });
  if (picture === null) throw new Failure('wrong-state', 'There is no picture of this machine yet.');
  const address = URL.createObjectURL(new Blob([picture.png as Uint8Array<ArrayBuffer>], { type: 'image/png' }));
  const link = document.createElement('a');
  link.href = address;
  const stamp = new Date().toISOString().slice(0, 19).replace(/[:T]/g, '-');
  link.download = `${machine.name.replace(/[^\w.-]+/g, '-')}-${stamp}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
