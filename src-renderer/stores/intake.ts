// From a dropped or chosen file to a started machine.
import { defineStore } from 'pinia';
import { computed, ref } from 'vue';
import { toFailureRecord } from '../../core/api/failure.ts';
import type { FailureRecord } from '../../core/api/failure.ts';
import type { CreateRequest } from '../../core/api/machines.ts';
import type { Detection } from '../../core/api/media.ts';
import { useClient } from '../client/client.ts';
import { useMachines } from './machines.ts';

export type IntakePhase = 'idle' | 'uploading' | 'detecting' | 'ready' | 'creating' | 'refused';

export const useIntake = defineStore('intake', () => {
  const client = useClient();
  const machines = useMachines();
  const phase = ref<IntakePhase>('idle');
  const names = ref<string[]>([]);
  const sentBytes = ref(0);
  const totalBytes = ref(0);
  const bytesPerSecond = ref(0);
  const detection = ref<Detection | null>(null);
  const failure = ref<FailureRecord | null>(null);
  let uploaded: string[] = [];
  let abort = new AbortController();

  const isOpen = computed(() => phase.value !== 'idle');

  function begin(first: IntakePhase, fileNames: string[]): AbortSignal {
    abort.abort();
    abort = new AbortController();
    uploaded = [];
    phase.value = first;
    names.value = fileNames;
    detection.value = null;
    failure.value = null;
    return abort.signal;
  }

  async function dropped(files: File[]): Promise<void> {
    if (files.length === 0) return;
    const access = client.files;
    if (access.kind === 'in-place') return open(files.map((file) => access.pathOf(file)));
    const signal = begin(
      'uploading',
      files.map((file) => file.name),
    );
    sentBytes.value = 0;
    totalBytes.value = files.reduce((sum, file) => sum + file.size, 0);
    const started = performance.now();
    let done = 0;
    try {
      for (const file of files) {
        const path = await access.upload(file, {
          signal,
          progress(sent) {
            sentBytes.value = done + sent;
            bytesPerSecond.value = sentBytes.value / Math.max(0.05, (performance.now() - started) / 1000);
          },
        });
        done += file.size;
        uploaded.push(path);
      }
      await detect(uploaded, signal);
    } catch (error) {
      refuse(error, signal);
    }
  }

  /** Files where they lie. */
  async function open(paths: string[]): Promise<void> {
    if (paths.length === 0) return;
    const signal = begin(
      'detecting',
      paths.map((path) => path.split(/[\\/]/).pop() ?? path),
    );
    await detect(paths, signal).catch((error: unknown) => refuse(error, signal));
  }

  async function detect(paths: string[], signal: AbortSignal): Promise<void> {
    phase.value = 'detecting';
    const found = await client.call('media.detect', { paths: [...paths] });
    if (signal.aborted) return;
    detection.value = found;
    phase.value = 'ready';
  }

  function refuse(error: unknown, signal: AbortSignal): void {
    const copies = uploaded;
    discard();
    if (signal.aborted) return;
    const record = toFailureRecord(error);
    // The copy in the library is gone again: the person knows the file by its name.
    const plain = (text: string): string =>
      copies.reduce((result, path) => result.replaceAll(path, path.split(/[\\/]/).pop() ?? path), text);
    failure.value = { ...record, message: plain(record.message), reason: plain(record.reason) };
    phase.value = 'refused';
  }

  function discard(): void {
    if (uploaded.length > 0) void client.call('media.discard', { paths: uploaded }).catch(() => undefined);
    uploaded = [];
  }

  /** Leaves nothing behind. */
  function cancel(): void {
    abort.abort();
    discard();
    phase.value = 'idle';
  }

  /** Creates and starts; resolves to the machine's id, or null with `failure` set. */
  async function create(request: CreateRequest): Promise<string | null> {
    phase.value = 'creating';
    failure.value = null;
    let id: string;
    try {
      const machine = await client.call('machines.create', request);
      machines.put(machine);
      id = machine.id;
    } catch (error) {
      failure.value = toFailureRecord(error);
      phase.value = 'ready';
      return null;
    }
    uploaded = [];
    phase.value = 'idle';
    return id;
  }

  return {
    phase,
    names,
    sentBytes,
    totalBytes,
    bytesPerSecond,
    detection,
    failure,
    isOpen,
    dropped,
    open,
    cancel,
    create,
  };
});
