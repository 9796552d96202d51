/** Test helper: the operations of a memtable on a plain list, for the suite to compare with. */
import { compareBytes } from '../base/bytes.ts';
import { KIND_DELETE, KIND_RANGE_DELETE } from '../base/kinds.ts';
import type { RangeTombstone } from '../base/range-tombstones.ts';

export interface ModelEntry {
  readonly key: Uint8Array;
  readonly sequence: number;
  kind: number;
  value: Uint8Array;
}

/** The same operations on a list. */
export class Model {
  readonly entries: ModelEntry[] = [];
  readonly tombstones: RangeTombstone[] = [];

  add(sequence: number, kind: number, key: Uint8Array, value: Uint8Array): void {
    if (kind === KIND_RANGE_DELETE) {
      if (compareBytes(key, value) >= 0) return;
      this.tombstones.push({ start: key, end: value, sequence });
      for (const entry of this.entries) {
        const isInside = compareBytes(key, entry.key) <= 0 && compareBytes(entry.key, value) < 0;
        if (!isInside || entry.sequence !== sequence) continue;
        entry.kind = KIND_DELETE;
        entry.value = new Uint8Array(0);
      }
      return;
    }
    const same = this.entries.find((e) => e.sequence === sequence && compareBytes(e.key, key) === 0);
    if (same === undefined) this.entries.push({ key, sequence, kind, value });
    else Object.assign(same, { kind, value });
  }

  sorted(): ModelEntry[] {
    return this.entries.toSorted((a, b) => compareBytes(a.key, b.key) || b.sequence - a.sequence);
  }
}
