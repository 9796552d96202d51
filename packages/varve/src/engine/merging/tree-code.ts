/**
 * What a keyspace has of user code in one thread: its merge operator and its compaction filter, once somebody has given them,
 * the names that are stored, and what the operands of keys that were read have made so far.
 *
 * A key that is merged to and read in turn would be read at the cost of all its operands each time. So its value at the
 * newest operand of a read is remembered: the next read stands on it when it comes to that operand. What a key was at a
 * sequence does not change; the memo is emptied with every new version of the keyspace all the same (filters change values).
 * It takes SLOTS values of VALUE_BYTES_MAX at most. One thread.
 */
import { cloneOf, equalBytes } from '../../base/bytes.ts';
import type { CodeSource } from '../../base/code-source.ts';
import { hashKey } from '../../base/hash.ts';
import type { MergeOperator, StoredCode } from '../../base/merge-operator.ts';

const SLOTS = 1024;
const VALUE_BYTES_MAX = 512;

interface Remembered {
  readonly key: Uint8Array;
  readonly sequence: number;
  readonly value: Uint8Array;
}

export class TreeCode {
  /** Undefined: nobody has given it in this thread. */
  operator: MergeOperator | undefined;
  /** Where jobs find it; of an attached thread's operator too, where the owner was given none. */
  operatorSource: CodeSource | undefined;
  filterSource: CodeSource | undefined;
  /** What a filter's `data` gives, for the compaction that begins. */
  filterData: (() => unknown) | undefined;
  /** What this session has stored; what was stored before stands in the keyspace's record. */
  storedOperator: StoredCode | undefined;
  storedFilter: StoredCode | undefined;
  #slots: (Remembered | undefined)[] | undefined;

  /** The value of the key at `sequence`, if a read has made it since the last change of tables. */
  find(key: Uint8Array, sequence: number): Uint8Array | undefined {
    const found = this.#slots?.[slotOf(key)];
    return found !== undefined && found.sequence === sequence && equalBytes(found.key, key)
      ? found.value
      : undefined;
  }

  remember(key: Uint8Array, sequence: number, value: Uint8Array): void {
    if (value.length > VALUE_BYTES_MAX) return;
    this.#slots ??= Array.from({ length: SLOTS }, () => undefined);
    this.#slots[slotOf(key)] = { key, sequence, value: cloneOf(value) };
  }

  forget(): void {
    this.#slots = undefined;
  }
}

function slotOf(key: Uint8Array): number {
  return hashKey(key, 0, key.length) & (SLOTS - 1);
}
