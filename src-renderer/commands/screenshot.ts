import type { Client } from '../../core/api/client.ts';
import type { MachineSummary } from '../../core/api/machines.ts';
import { Failure } from '../../core/api/failure.ts';
import { saveFile } from '../components/saveFile.ts';

/** Saves the guest's screen as a PNG file through the browser's download. */
export async function saveScreenshot(client: Client, machine: MachineSummary): Promise<void> {
  const picture = await client.call('console.screenshot', { id: machine.id });
  if (picture === null) throw new Failure('wrong-state', 'There is no picture of this machine yet.');
  const stamp = new Date().toISOString().slice(0, 19).replace(/[:T]/g, '-');
  saveFile(`${machine.name.replace(/[^\w.-]+/g, '-')}-${stamp}.png`, picture.png, 'image/png');
}
