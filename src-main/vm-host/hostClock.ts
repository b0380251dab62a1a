// The host's clock over Node's timers.
import type { HostClock } from '../../core/host/clock.ts';

/** Node may fire a timer up to 1 ms early; the contract says "not before". */
function fireAfter(deadlineMs: number, callback: () => void): { cancel(): void } {
  let handle: NodeJS.Timeout | undefined;
  const arm = (): void => {
    const left = deadlineMs - performance.now();
    if (left <= 0) callback();
    else handle = setTimeout(arm, Math.ceil(left));
  };
  handle = setTimeout(arm, Math.max(1, Math.ceil(deadlineMs - performance.now())));
  return { cancel: () => clearTimeout(handle) };
}

export const hostClock: HostClock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(ms, callback) {
    if (ms > 0) return fireAfter(performance.now() + ms, callback);
    const handle = setImmediate(callback);
    return { cancel: () => clearImmediate(handle) };
  },
};
