/**
 * The ingestion that is ahead of the manifest, as other threads of a shared database find it: they take their tables from the
 * manifest, which does not have these yet. A run of the pool holds the body of the ingestion's log record, and a control word
 * says where; it is changed under the write lock with the generation odd meanwhile, like all that views are made of.
 *
 *   word of the run   field
 *           0         BYTES of the body
 *           1, 2      SEQUENCE (sequence-words.ts)
 *           4..       the body (manifest/ingestion.ts)
 */
import type { Run, SegmentPool } from '../../arena/segment-pool.ts';
import { cloneRange } from '../../base/bytes.ts';
import { busy } from '../../base/errors.ts';
import { decodeIngestion, type IngestionEdit } from '../../manifest/ingestion.ts';
import type { AheadOfManifest } from '../state.ts';
import { AHEAD } from './control-words.ts';
import { loadSequence, storeSequence } from './sequence-words.ts';
import type { ThreadAccess } from './thread-access.ts';

const BYTES = 0;
const SEQUENCE = 1;
const BODY = 4;

/** The owner's end. With the write lock. */
export class SharedAhead implements AheadOfManifest {
  readonly #access: ThreadAccess;
  readonly #pool: SegmentPool;
  readonly #retire: (free: () => void) => void;
  #prepared: Run | undefined;
  #shown: Run | undefined;

  /** @param retire runs what gives memory back, with the write lock, once no thread can be reading it */
  constructor(access: ThreadAccess, pool: SegmentPool, retire: (free: () => void) => void) {
    this.#access = access;
    this.#pool = pool;
    this.#retire = retire;
  }

  /** What it holds of the pool. */
  runs(): Run[] {
    return [this.#prepared, this.#shown].filter((run) => run !== undefined);
  }

  /** @throws busy `BUSY` when the pool has no room; nothing has changed then */
  prepare(body: Uint8Array, sequence: number): void {
    const pool = this.#pool;
    const bytes = 4 * BODY + body.length;
    const start = pool.allocate(bytes);
    if (start < 0) {
      throw busy('BUSY', 'no memtable memory is left to tell other threads of the ingestion', {
        reason: 'memtable-memory',
      });
    }
    this.#prepared = { start, bytes };
    const word = start / 4;
    Atomics.store(pool.words, word + BYTES, body.length);
    storeSequence(pool.words, word + SEQUENCE, sequence);
    pool.bytes.set(body, start + 4 * BODY);
  }

  /** What was prepared is not to be shown. */
  forget(): void {
    const run = this.#prepared;
    this.#prepared = undefined;
    if (run !== undefined) this.#pool.free(run.start, run.bytes);
  }

  /** Others see what was prepared. */
  show(): void {
    const run = this.#prepared!;
    this.#shown = run;
    this.#prepared = undefined;
    const { control } = this.#access;
    // A run may begin at 0, which stands for none.
    this.#access.changeViews(() => Atomics.store(control, AHEAD, run.start / 4 + 1));
  }

  /** While views are changed: the manifest has it now. */
  hide(): void {
    const run = this.#shown;
    if (run === undefined) return;
    this.#shown = undefined;
    Atomics.store(this.#access.control, AHEAD, 0);
    this.#retire(() => this.#pool.free(run.start, run.bytes));
  }
}

/** What an attached thread finds, inside an operation; undefined when there is nothing ahead of the manifest. */
export function readAhead(control: Int32Array, pool: SegmentPool, file: string): AheadIngestion | undefined {
  const at = Atomics.load(control, AHEAD);
  if (at === 0) return undefined;
  const word = at - 1;
  const from = 4 * (word + BODY);
  const body = cloneRange(pool.bytes, from, from + Atomics.load(pool.words, word + BYTES));
  const sequence = loadSequence(pool.words, word + SEQUENCE);
  return { sequence, decode: () => decodeIngestion(body, 0, body.length, sequence, { file, offset: 0 }) };
}

/** Decoded only once it is known that nothing has changed since it was read. */
export interface AheadIngestion {
  readonly sequence: number;
  decode(): IngestionEdit;
}
