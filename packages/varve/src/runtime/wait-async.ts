/**
 * `Atomics.waitAsync`, which every supported runtime has and the ES2023 types do not: a promise of the next notification of a
 * shared word. A pending one does not keep the process alive; it ends with a notification, or with its thread.
 */
interface AsyncWait {
  waitAsync(
    words: Int32Array,
    at: number,
    value: number,
  ): { async: true; value: Promise<string> } | { async: false; value: string };
}

/** Undefined when the word is not `value` any more. */
export function waitAsync(words: Int32Array, at: number, value: number): Promise<unknown> | undefined {
  const wait = (Atomics as unknown as AsyncWait).waitAsync(words, at, value);
  return wait.async ? wait.value : undefined;
}
