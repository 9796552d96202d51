/**
 * What the engine tells the world, as typed CustomEvents on `db.events` and on the diagnostics channel `varve:<type>`.
 * Nobody listening costs one branch: the detail is built by a function that is called only when somebody does.
 */
import { channel, type Channel } from 'node:diagnostics_channel';

/** The shares of the memory budget, in bytes. */
interface MemoryShares {
  memtables: number;
  cache: number;
  indexes: number;
}

/** The budget was divided anew, because (`gains`) of what a byte more for each would have saved of late. */
export interface MemoryMoved {
  what: 'memory';
  reason: 'indexes' | 'reads' | 'rewrites' | 'waits';
  from: MemoryShares;
  to: MemoryShares;
  /** Bytes of I/O. */
  gains: { memtables: number; cache: number };
}

/** The memtables of a keyspace are flushed at another size. */
export interface FlushSizeChanged {
  what: 'flush-size';
  keyspace: string;
  reason: 'write-rate';
  from: number;
  to: number;
  bytesPerSecond: number;
}

export interface EventDetails {
  flush: { keyspace: string; files: number; bytes: number; entries: number; ms: number };
  compaction: {
    keyspace: string;
    kind: 'merge' | 'move' | 'drop';
    fromLevel: number;
    toLevel: number;
    reason: string;
    filesIn: number;
    filesOut: number;
    bytesIn: number;
    bytesOut: number;
    /** Entries that were left out. */
    dropped: number;
    ms: number;
  };
  /**
   * Tables were ingested, or brought by a transaction larger than a batch (one event a keyspace), and are visible. `heldMs`: how
   * long writes had to wait for that.
   */
  ingest: {
    keyspace: string;
    sequence: number;
    files: number;
    levels: number[];
    entries: number;
    bytes: number;
    ms: number;
    heldMs: number;
  };
  pressure: { state: 'none' | 'slow' | 'block' | 'fail'; reason: string };
  adapt: MemoryMoved | FlushSizeChanged;
  poison: { cause: unknown };
  recovery: {
    batches: number;
    bytes: number;
    cutBytes: number;
    segments: number;
    ms: number;
    warnings: string[];
  };
  /** `context`: what it is about, as in errors. */
  warning: { code: string; message: string; context?: Readonly<Record<string, unknown>> };
}

export type EventName = keyof EventDetails;

const names: readonly EventName[] = [
  'flush',
  'compaction',
  'ingest',
  'pressure',
  'adapt',
  'poison',
  'recovery',
  'warning',
];

/** EventTarget that counts its listeners, so that an unheard event is never built. */
class CountingTarget extends EventTarget {
  heard = false;
  override addEventListener(...args: Parameters<EventTarget['addEventListener']>): void {
    this.heard = true;
    super.addEventListener(...args);
  }
}

export class Events {
  readonly target: EventTarget = new CountingTarget();
  readonly #channels: Record<EventName, Channel>;
  /** Other threads that have the database open hear every event too, as plain data. */
  forward: ((name: EventName, detail: unknown) => void) | undefined;

  constructor() {
    this.#channels = Object.fromEntries(names.map((name) => [name, channel(`varve:${name}`)])) as Record<
      EventName,
      Channel
    >;
  }

  /**
   * Tells listeners, if there are any, in a microtask: they are user code that may write, and events come up in the middle
   * of writes. A listener that throws is reported by the runtime, never to the engine.
   */
  emit<N extends EventName>(name: N, detail: () => EventDetails[N]): void {
    const heard = (this.target as CountingTarget).heard;
    const subscribed = this.#channels[name].hasSubscribers;
    if (!heard && !subscribed && this.forward === undefined) return;
    const value = detail();
    this.forward?.(name, value);
    if (!heard && !subscribed) return;
    queueMicrotask(() => {
      if (subscribed) this.#channels[name].publish(value);
      if (heard) this.target.dispatchEvent(new CustomEvent(name, { detail: value }));
    });
  }
}
