// Reading what keeps changing.

/** Between two reads while changes keep coming: a burst of steps is not slowed by looking at each. */
const REST_MS = 150;

/** Any number of calls while a read is under way ask for one more, which follows after a rest. */
export function coalesced(read: () => Promise<void>): () => Promise<void> {
  let reading = false;
  let again = false;
  return async () => {
    again = true;
    if (reading) return;
    reading = true;
    try {
      while (again) {
        again = false;
        await read();
        if (again) await new Promise((resolve) => setTimeout(resolve, REST_MS));
      }
    } finally {
      reading = false;
    }
  };
}
