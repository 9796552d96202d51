/**
 * What a writer that died had begun: the batch whose record is in the log, and that is not visible yet, is applied again.
 *
 * The record counts from the moment the log's tail names it (wal/shared-tail.ts). Of its operations any number may be in the
 * memtables already; adding one again replaces it by itself (memtable/skiplist.ts). With the write lock, by whoever took it over.
 */
import type { SegmentPool } from '../../arena/segment-pool.ts';
import { busy } from '../../base/errors.ts';
import { attachMemtableAt, type Memtable } from '../../memtable/memtable.ts';
import { BatchReader } from '../../record/batch.ts';
import { lastRecordOf } from '../../wal/attached-log.ts';
import type { LogWriter } from '../../wal/log-writer.ts';
import type { TailWords } from '../../wal/shared-tail.ts';
import { SWEEP_DUE, VISIBLE } from './control-words.ts';
import type { KeyspaceWords } from './keyspace-words.ts';
import { loadSequence, storeSequence } from './sequence-words.ts';

export interface RedoEnv {
  readonly control: Int32Array;
  readonly rows: KeyspaceWords;
  readonly pool: SegmentPool;
  readonly writer: LogWriter;
  /** Of the log's tail, just loaded. */
  readonly tail: TailWords;
}

type Memtables = Map<number, Memtable | undefined>;

/** Completes the batch that is in the log and not visible, if there is one; true when there was. */
export function redo(env: RedoEnv): boolean {
  const memtables: Memtables = new Map();
  const { control, tail, writer } = env;
  Atomics.store(control, SWEEP_DUE, 1);
  const { lastSequence } = tail;
  if (lastSequence <= loadSequence(control, VISIBLE)) return false;
  const { bytes, start, end } = lastRecordOf(tail, writer);
  reserve(env, memtables, bytes, start, end);
  const reader = new BatchReader();
  reader.reset(bytes, start, end, undefined);
  while (reader.next()) {
    const { kind, keyStart, keyEnd, valueStart, valueEnd } = reader;
    const memtable = memtableOf(env, memtables, reader.keyspaceId);
    memtable?.add(lastSequence, kind, bytes, keyStart, keyEnd, bytes, valueStart, valueEnd);
  }
  storeSequence(control, VISIBLE, lastSequence);
  return true;
}

/** The memory that the dead thread had reserved may be used up by what it had added. */
function reserve(env: RedoEnv, memtables: Memtables, bytes: Uint8Array, start: number, end: number): void {
  const wanted = new Map<number, { bytes: number; ops: number }>();
  const reader = new BatchReader();
  reader.reset(bytes, start, end, undefined);
  while (reader.next()) {
    const { keyspaceId, keyStart, keyEnd, valueStart, valueEnd } = reader;
    const tally = wanted.get(keyspaceId) ?? { bytes: 0, ops: 0 };
    tally.bytes += keyEnd - keyStart + valueEnd - valueStart;
    tally.ops++;
    wanted.set(keyspaceId, tally);
  }
  for (const [id, tally] of wanted) {
    if (memtableOf(env, memtables, id)?.reserve(tally.bytes, tally.ops) === false) {
      throw busy('BUSY', 'no memtable memory is left to complete the write of a thread that died', {
        reason: 'memtable-memory',
      });
    }
  }
}

/** One object for all adds: it keeps what belongs to the batch. Undefined: the keyspace was dropped. */
function memtableOf({ rows, pool }: RedoEnv, memtables: Memtables, id: number): Memtable | undefined {
  if (memtables.has(id)) return memtables.get(id);
  // The memtable was made before the record was appended.
  const isThere = rows.has(id) && !rows.isDropped(id) && rows.active(id) !== 0;
  const memtable = isThere ? attachMemtableAt(pool, rows.active(id)) : undefined;
  memtables.set(id, memtable);
  return memtable;
}
