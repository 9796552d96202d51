/**
 * A snapshot: a sequence and a time to read at, registered so that flush and compaction keep what it needs. Pins no memory, no file.
 *
 * Closing gives the sequence back; a snapshot that was dropped unclosed is only reported (a warning event), because
 * when the collector runs is nobody's promise.
 */
import { closed } from '../base/errors.ts';
import type { Session } from './core.ts';
import type { ReadPoint } from './read-point.ts';
import { KeyspaceHandle } from './keyspace.ts';
import type { Keyspace, Range, RangeView, Snapshot } from './keyspace-types.ts';

export class SnapshotHandle implements Snapshot, ReadPoint {
  readonly sequence: number;
  /** When it was taken, by the stored clock: what expires later it goes on to show. */
  readonly time: number;
  readonly #core: Session;
  #open = true;

  constructor(core: Session) {
    core.state.checkOpen();
    this.#core = core;
    this.sequence = core.register.addVisible();
    this.time = core.register.time;
    leaks.register(this, { core: new WeakRef(core), sequence: this.sequence }, this);
  }

  get<K, V>(keyspace: Keyspace<K, V>, key: K): V | undefined {
    return this.#reader(keyspace).getAt(key, this);
  }

  getMany<K, V>(keyspace: Keyspace<K, V>, keys: readonly K[]): (V | undefined)[] {
    return this.#reader(keyspace).getManyAt(keys, this);
  }

  has<K, V>(keyspace: Keyspace<K, V>, key: K): boolean {
    return this.#reader(keyspace).hasAt(key, this);
  }

  range<K, V>(keyspace: Keyspace<K, V>, range: Range<K> = {}): RangeView<K, V> {
    const reader = this.#reader(keyspace);
    return reader.rangeAt(range, this, () => {
      this.#check();
      reader.check();
    });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    leaks.unregister(this);
    this.#core.register.remove(this.sequence, this.time);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #check(): void {
    this.#core.state.checkOpen();
    if (!this.#open) throw closed('the snapshot', { sequence: this.sequence });
  }

  #reader<K, V>(keyspace: Keyspace<K, V>): KeyspaceHandle<K, V> {
    this.#check();
    return KeyspaceHandle.of(keyspace, this.#core);
  }
}

/** Holds the engine weakly: an engine that keeps a snapshot alive (a listener's closure) would else never be collected. */
const leaks = new FinalizationRegistry<{ core: WeakRef<Session>; sequence: number }>(({ core, sequence }) => {
  const engine = core.deref();
  if (engine === undefined || engine.state.isClosed) return;
  engine.events.emit('warning', () => ({
    code: 'SNAPSHOT_LEAKED',
    message: `a snapshot at sequence ${sequence} was never closed; it keeps old versions until the database closes`,
  }));
});
