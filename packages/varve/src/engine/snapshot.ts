/**
 * A snapshot, of now or of the past: a sequence and a time to read at, registered so that flush and compaction keep what it needs. Pins no memory, no file.
 *
 * One with a greatest age gives its sequence back by itself; from then on it is refused by name.
 * Closing gives the sequence back; a snapshot that was dropped unclosed is only reported (a warning event), because
 * when the collector runs is nobody's promise.
 */
import { closed, invalid, VarveError } from '../base/errors.ts';
import { type Timer, TIMER_MS_MAX } from '../runtime/scheduler.ts';
import type { Session } from './core.ts';
import { checkTarget, pointIn, type PastState, type PastTarget } from './past.ts';
import type { ReadPoint } from './read-point.ts';
import { checkOptionMembers } from './option-members.ts';
import type { HeldSnapshot } from './held-snapshots.ts';
import { LeakReports } from './leak-reports.ts';
import { KeyspaceHandle } from './keyspace.ts';
import type { Keyspace, Range, RangeView, Snapshot, SnapshotOptions } from './keyspace-types.ts';
import type { Tree } from './tree.ts';

export class SnapshotHandle implements Snapshot, ReadPoint {
  readonly sequence: number;
  /** When it was taken, by the stored clock: what expires later it goes on to show. */
  readonly time: number;
  readonly #core: Session;
  readonly #held: HeldSnapshot;
  readonly #timer: Timer | undefined;
  readonly #past: PastState | undefined;
  #open = true;
  /** It got older than it was to be. */
  #expiredMs: number | undefined;

  /**
   * @param made the method that the user has called
   * @param target of a snapshot of the past
   */
  constructor(
    core: Session,
    options: SnapshotOptions,
    made: (...args: never[]) => unknown,
    target?: { readonly at: PastTarget },
  ) {
    core.state.checkOpen();
    const maxAgeMs = checkOptions(options);
    this.#core = core;
    this.#past = target === undefined ? undefined : core.past.at(checkTarget(target.at));
    this.sequence = this.#past?.sequence ?? core.register.addVisible();
    this.time = this.#past?.time ?? core.register.time;
    this.#held = core.snapshots.add(this.sequence, made);
    leaks.watch(this, core, this.#held);
    if (maxAgeMs === undefined) return;
    this.#timer = core.scheduler.after(maxAgeMs, () => {
      if (!this.#open) return;
      this.#expiredMs = maxAgeMs;
      this.close();
    });
  }

  get<K, V>(keyspace: Keyspace<K, V>, key: K): V | undefined {
    const reader = this.#reader(keyspace);
    return reader.getAt(key, this.#pointIn(reader));
  }

  getMany<K, V>(keyspace: Keyspace<K, V>, keys: readonly K[]): (V | undefined)[] {
    const reader = this.#reader(keyspace);
    return reader.getManyAt(keys, this.#pointIn(reader));
  }

  has<K, V>(keyspace: Keyspace<K, V>, key: K): boolean {
    const reader = this.#reader(keyspace);
    return reader.hasEncodedAt(reader.encodeKey(key), this.#pointIn(reader));
  }

  range<K, V>(keyspace: Keyspace<K, V>, range: Range<K> = {}): RangeView<K, V> {
    const reader = this.#reader(keyspace);
    return reader.rangeAt(range, this.#pointIn(reader), () => {
      this.#check();
      reader.check();
    });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#timer?.cancel();
    leaks.forget(this);
    this.#core.snapshots.remove(this.#held);
    this.#core.register.remove(this.sequence, this.time);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #check(): void {
    this.#core.state.checkOpen();
    if (this.#open) return;
    const { sequence } = this;
    if (this.#expiredMs === undefined) throw closed('the snapshot', { sequence });
    const message = `the snapshot was closed when it was ${this.#expiredMs} ms old, as it was made to be`;
    throw new VarveError('closed', 'SNAPSHOT_EXPIRED', message, { sequence, maxAgeMs: this.#expiredMs });
  }

  #reader<K, V>(keyspace: Keyspace<K, V>): KeyspaceHandle<K, V> {
    this.#check();
    return KeyspaceHandle.of(keyspace, this.#core);
  }

  #pointIn({ tree }: { readonly tree: Tree }): ReadPoint {
    return this.#past === undefined ? this : pointIn(this.#past, tree);
  }
}

const members = new Set(['maxAgeMs']);

/** The greatest age; undefined for none. @throws invalid `OPTION_INVALID` */
function checkOptions(options: SnapshotOptions): number | undefined {
  checkOptionMembers('snapshot', options, members);
  const { maxAgeMs } = options;
  if (maxAgeMs === undefined || maxAgeMs === Number.POSITIVE_INFINITY) return undefined;
  if (typeof maxAgeMs === 'number' && maxAgeMs > 0 && maxAgeMs <= TIMER_MS_MAX) return maxAgeMs;
  const message = `maxAgeMs is milliseconds, above 0 and at most ${TIMER_MS_MAX}; got ${String(maxAgeMs)}`;
  throw invalid('OPTION_INVALID', message, { option: 'maxAgeMs', got: maxAgeMs });
}

const leaks = new LeakReports<HeldSnapshot>('SNAPSHOT_LEAKED', ({ sequence, stack }) => {
  const where = stack === undefined ? '' : `; it was made\n${stack}`;
  return `a snapshot at sequence ${sequence} was never closed; it keeps old versions until the database closes${where}`;
});
