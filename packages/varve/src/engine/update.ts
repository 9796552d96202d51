/**
 * `keyspace.update`: reads a value, asks a function of the caller's what it becomes, and writes that in one step.
 *
 * In a database that one thread has to itself nothing can come between but what the function itself writes. In a shared one the
 * function runs without the write lock, for as long as it likes; what it was given is compared under the lock, by sequence,
 * and when another thread has written the key meanwhile, or it has expired, it is asked again. What the function writes itself does not count.
 */
import { EMPTY } from '../base/bytes.ts';
import { invalid } from '../base/errors.ts';
import type { EngineState } from './state.ts';

/** What was read: the value, its sequence (0: there is none), and how far the reader saw. */
export interface ReadVersion<V> {
  readonly value: V | undefined;
  readonly sequence: number;
  readonly visible: number;
}

/** The steps of one key's update. */
interface UpdateSteps<V> {
  readonly keyBytes: number;
  read(): ReadVersion<V>;
  encode(value: V): Uint8Array;
  /** Sequence of the newest version, 0 when there is none; throws when the keyspace can not be used any more. */
  sequenceNow(): number;
  put(value: Uint8Array): void;
  delete(): void;
}

export function updateValue<V>(
  state: EngineState,
  pipeline: { admit(bytes: number): void; following<T>(step: (own: readonly number[]) => T): T },
  change: (old: V | undefined) => V | undefined,
  steps: UpdateSteps<V>,
): V | undefined {
  for (;;) {
    const read = steps.read();
    let own: readonly number[] = [];
    const value = pipeline.following((written) => {
      own = written;
      return change(read.value);
    });
    if (value instanceof Promise) {
      throw invalid(
        'VALUE_INVALID',
        'the function given to update must not be async: it would not be atomic',
        {},
      );
    }
    const encoded = value === undefined ? EMPTY : steps.encode(value);
    const isShared = state.access !== undefined;
    // Not while other threads are kept from writing: it may have to wait for room.
    if (isShared) pipeline.admit(steps.keyBytes + encoded.length);
    const isWritten = state.exclusive(() => {
      const now = isShared ? steps.sequenceNow() : read.sequence;
      if (now !== read.sequence && !own.includes(now)) return false;
      if (value !== undefined) steps.put(encoded);
      // The function itself may have written the key.
      else if (read.sequence !== 0 || read.visible !== state.visible) steps.delete();
      return true;
    });
    if (isWritten) return value;
  }
}
