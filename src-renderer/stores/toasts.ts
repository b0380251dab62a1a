// Short messages that need no answer.
import { defineStore } from 'pinia';
import { ref } from 'vue';
import { toFailureRecord } from '../../core/api/failure.ts';
import type { FailureRecord } from '../../core/api/failure.ts';

export interface Toast {
  readonly id: number;
  readonly tone: 'info' | 'danger';
  readonly title: string;
  readonly text: string;
  readonly failure: FailureRecord | null;
}

const INFO_MS = 5000;
const MOST = 4;

export const useToasts = defineStore('toasts', () => {
  const list = ref<Toast[]>([]);
  let nextId = 1;

  function add(toast: Omit<Toast, 'id'>): number {
    const id = nextId++;
    list.value = [...list.value, { id, ...toast }].slice(-MOST);
    return id;
  }

  function dismiss(id: number): void {
    list.value = list.value.filter((toast) => toast.id !== id);
  }

  function info(title: string, text = ''): void {
    const id = add({ tone: 'info', title, text, failure: null });
    setTimeout(() => dismiss(id), INFO_MS);
  }

  /** Stays until it is dismissed. */
  function failed(error: unknown): void {
    const failure = toFailureRecord(error);
    const text = [failure.reason, failure.action].filter((line) => line !== '').join(' ');
    add({ tone: 'danger', title: failure.message, text, failure });
  }

  /** Runs an action; what goes wrong becomes a toast. */
  async function guard<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      failed(error);
      return undefined;
    }
  }

  return { list, info, failed, guard, dismiss };
});
