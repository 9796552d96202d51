/**
 * A thread of a shared database as the engine builds it (packages/varve/src/engine/sharing/attach.ts), with everything that is
 * shared and without files: the commit pipeline, the log up to its buffer, one keyspace with its memtables, the lock.
 */
import {
  AttachedLog,
  claimSlot,
  CommitPipeline,
  emptyKeyspace,
  EngineState,
  KEYSPACE_WORDS,
  KeyspaceWords,
  KIND_PUT,
  PointResult,
  redo,
  SegmentPool,
  SharedTail,
  SharedViews,
  ThreadAccess,
  Tree,
} from 'varve/internals';
import { type Control, makeControl } from './control.check.ts';
import type { Labels } from './instance.ts';

export interface SharedDatabase extends Control {
  readonly rows: SharedArrayBuffer;
  readonly pool: ReturnType<SegmentPool['handle']>;
  readonly logBuffer: SharedArrayBuffer;
  readonly tail: SharedArrayBuffer;
}

export interface Session {
  readonly slot: number;
  readonly words: Int32Array;
  readonly access: ThreadAccess;
  readonly state: EngineState;
  readonly tree: Tree;
  readonly pipeline: CommitPipeline;
  readonly log: AttachedLog;
  readonly pool: SegmentPool;
}

const KEYSPACE = 1;
const LOG_BYTES = 1024;
const CHUNK_BYTES = 1024;

const record = { id: KEYSPACE, name: 'k', keyCodec: 'bytes', valueCodec: 'bytes', createdSequence: 0 };

/** The memory of an empty shared database, whose first writer takes sequence 1. */
export function makeDatabase(label: Labels, chunks = 4): SharedDatabase {
  const control = makeControl(label);
  const rows = new SharedArrayBuffer(4 * KEYSPACE_WORDS);
  const pool = new SegmentPool(chunks * CHUNK_BYTES, CHUNK_BYTES).handle();
  const logBuffer = new SharedArrayBuffer(LOG_BYTES);
  const tail = new SharedTail();
  tail.words.segment = 1;
  tail.store();
  new KeyspaceWords(new Int32Array(control), new Int32Array(rows)).add(KEYSPACE);
  label(rows, 'rows', { 0: 'row.id', 2: 'row.active', 3: 'row.immutables' });
  label(pool.buffer, 'pool');
  label(pool.table, 'pool table');
  label(logBuffer, 'log buffer');
  label(tail.memory, 'tail', { 0: 'tail.selector' });
  return { control, rows, pool, logBuffer, tail: tail.memory };
}

/** Joins the database in this thread. `retire` is the owner's. */
export function openSession(
  shared: SharedDatabase,
  thread: number,
  retire: (words: Int32Array, free: () => void) => void = () => undefined,
): Session {
  const words = new Int32Array(shared.control);
  const slot = claimSlot(words, thread);
  const state = new EngineState('model', { now: () => 0, monotonic: () => 0 });
  const rows = new KeyspaceWords(words, new Int32Array(shared.rows));
  const pool = SegmentPool.attach(shared.pool);
  const log = new AttachedLog({
    // Nothing is handed over: the buffer is larger than what is written.
    fs: { open: () => ({}) } as never,
    directory: 'model',
    handle: {
      buffer: shared.logBuffer,
      tail: shared.tail,
      incarnation: 1,
      timestamps: false,
      segmentBytes: 1 << 20,
    },
    counters: { log: 0 },
    segmentFull: () => undefined,
    checkOwner: () => undefined,
  });
  const access: ThreadAccess = new ThreadAccess(words, slot, {
    flagged: () => undefined,
    follow: (isCurrent) => follow(isCurrent),
    load: () => log.load(),
    repair: () => {
      log.load();
      access.endChange();
      redo({ control: words, rows, pool, writer: log.writer, tail: log.tail });
    },
  });
  const views = new SharedViews(pool, rows, access, (free) => retire(words, free));
  state.share(access);
  const tree = new Tree(
    state,
    record,
    {} as never,
    emptyKeyspace(record),
    undefined as never,
    undefined as never,
    () => {
      throw new Error('a shared tree has its memtables in shared memory');
    },
  );
  tree.join(views, () => undefined);
  state.trees.set(KEYSPACE, tree);
  const follow = (isCurrent: () => boolean): boolean => {
    const [active, ...immutables] = views.descriptors(KEYSPACE);
    if (!isCurrent()) return false;
    tree.show(
      active === 0 ? undefined : views.attach(active!),
      immutables.map((descriptor) => views.attach(descriptor)),
      tree.view.version,
    );
    return true;
  };
  const pipeline = new CommitPipeline({
    state,
    log,
    durability: {
      admit: () => undefined,
      append: log.append.bind(log),
      appendOperation: log.appendOperation.bind(log),
    } as never,
    external: undefined as never,
    pressure: { admit: () => undefined } as never,
    poison: { check: () => undefined } as never,
    runner: { poll: () => undefined } as never,
    batchBytesMax: 1 << 20,
    counters: { user: 0 },
    lockMsMax: 60_000,
    isReadOnly: false,
    committed: () => undefined,
  });
  return { slot, words, access, state, tree, pipeline, log, pool };
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Puts a key with itself as value; the sequence. */
export function put({ pipeline, tree }: Session, key: string): number {
  return pipeline.commitOne(tree, KIND_PUT, encode(key), encode(key));
}

/** What a reader finds in one operation: the sequence that it sees, and which of the keys. */
export function look({ access, state, tree }: Session, keys: readonly string[]): readonly [number, string] {
  access.enter();
  try {
    // As Keyspace.getAt: the sequence, then the view.
    const { visible } = state;
    const { memtable, immutables } = tree.view;
    const all = memtable === undefined ? immutables : [memtable, ...immutables];
    const found = keys.filter((key) => {
      const bytes = encode(key);
      const out = new PointResult();
      const holder = all.find((each) => each.get(bytes, 0, bytes.length, visible, out));
      if (holder === undefined) return false;
      if (out.valueEnd - out.valueStart !== bytes.length || out.value[out.valueStart] !== bytes[0]) {
        throw new Error(`the value of '${key}' is not what was put`);
      }
      return true;
    });
    return [visible, found.join('')];
  } finally {
    access.leave();
  }
}
