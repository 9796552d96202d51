/**
 * Care for space: looks some time after the last change whether tables hold much that nobody needs, and has them compacted when
 * nothing else is due. What is worth it is decided by pure pickers (compaction/picker-care.ts, covered.ts); this brings what
 * they ask: who reads, what is live, how old things are.
 *
 * It also has memtables flushed that nobody writes to any more and that hold deletes: until those are in tables, what they
 * delete takes its space. A timer runs only while there is something to look at. Owner's thread.
 */
import { pickCovered } from '../../compaction/covered.ts';
import type { FragmentedTombstones } from '../../base/range-tombstones.ts';
import { Readers } from '../../compaction/drop.ts';
import { pickCare } from '../../compaction/picker-care.ts';
import { type CompactionPlan, type CompactionReason, filesOf } from '../../compaction/plan.ts';
import type { RunningSet } from '../../compaction/running-set.ts';
import { leveledSettings } from '../../compaction/strategy.ts';
import { KIND_DELETE } from '../../base/kinds.ts';
import type { FileMeta } from '../../manifest/file-meta.ts';
import type { JobOutput } from '../../compaction/job.ts';
import { bytesOf, type KeyspaceVersion } from '../../manifest/version.ts';
import type { ResolvedDefragment } from '../../options/background-settings.ts';
import type { Timer } from '../../runtime/scheduler.ts';
import type { ReclaimedStats } from '../compaction-types.ts';
import type { Core } from '../core.ts';
import type { Tree } from '../tree.ts';
import { ExpiredCare } from './expired-care.ts';
import { LiveData } from './live-data.ts';
import { pickerSettings } from './next-plan.ts';
import type { CareWish, SpaceCare } from './space-care.ts';

/** Samples taken at one look. */
const SAMPLES_MAX = 8;
/** Entries of a memtable that are looked at for deletes, and the share of them that has it flushed. */
const LOOKED_ENTRIES = 1000;
const DELETES_SHARE = 0.25;
const MEMTABLE_BYTES_MIN = 64 * 1024;
const NONE = 'none';
/** What is compacted for its space alone. */
const CARE_REASONS: ReadonlySet<CompactionReason> = new Set(['tombstones', 'live-ratio', 'expired']);

export class Care implements SpaceCare {
  readonly live: LiveData;
  readonly reclaimed: ReclaimedStats = { compactions: 0, files: 0, bytes: 0 };
  /** What has expired is looked for at times of its own: nothing has to change for it to be due. */
  readonly expired: ExpiredCare;
  readonly #core: Core;
  readonly #settings: ResolvedDefragment | undefined;
  #timer: Timer | undefined;
  /** Something has changed since the timer was set: what is new then is not settled when it ends. */
  #hasChanged = false;
  #isLooking = false;
  /** The last write to each tree when it was looked at last. */
  readonly #lastWrites = new WeakMap<Tree, number>();
  /** Keyspaces that were looked at and may have something to do. */
  readonly #due = new WeakSet<Tree>();
  /** Tables that care has written of keyspaces that keep versions by their count: what is left in them is to stay. */
  readonly #keeping = new Set<number>();
  /** Versions in which nothing is covered, with the readers that were there, or NONE without range tombstones. */
  readonly #uncovered = new WeakMap<KeyspaceVersion, string>();

  constructor(core: Core) {
    this.#core = core;
    this.live = new LiveData(core);
    this.expired = new ExpiredCare(core);
    this.#settings = core.options.defragment;
  }

  /** Something was written, flushed or compacted: a look follows when things have settled. */
  changed(): void {
    if (this.#timer !== undefined) {
      this.#hasChanged = true;
      return;
    }
    if (this.#settings === undefined || this.#core.options.readOnly) return;
    this.#timer = this.#core.scheduler.after(this.#settings.intervalMs, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  pick(tree: Tree, running: RunningSet): CompactionPlan | undefined {
    const expired = this.expired.pick(tree, running);
    if (expired !== undefined) return expired;
    if (this.#settings === undefined || !this.#due.has(tree)) return undefined;
    const { liveRatio, filesMax } = this.#settings;
    const plan = this.pickBy(tree, running, {
      liveRatio,
      filesMax,
      isSettled: this.#settled(this.#settings),
    });
    if (plan === undefined && running.size === 0) this.#due.delete(tree);
    return plan;
  }

  pickBy(tree: Tree, running: RunningSet, wish: CareWish): CompactionPlan | undefined {
    // Merging would tear the windows of a series apart.
    if (tree.settings.compaction.strategy === 'fifo') return undefined;
    const { floor, registered } = this.#core.history.readersFor(tree);
    return pickCare(tree.view.version, running, leveledSettings(pickerSettings(tree)), {
      ...wish,
      isSettled: (file) => wish.isSettled(file) && !this.#keeping.has(file.number),
      liveOf: (file) => this.live.of(file)?.live,
      oldestReader: Math.min(registered[0] ?? Number.POSITIVE_INFINITY, floor),
    });
  }

  pickExpired(tree: Tree, running: RunningSet): CompactionPlan | undefined {
    return this.expired.pickNow(tree, running);
  }

  pickCovered(tree: Tree, running: RunningSet): CompactionPlan | undefined {
    const { version } = tree.view;
    const known = this.#uncovered.get(version);
    if (known === NONE) return undefined;
    if (!version.levels.some((files) => files.some((file) => file.rangeTombstones > 0))) {
      this.#uncovered.set(version, NONE);
      return undefined;
    }
    const { floor, registered, time } = this.#core.history.readersFor(tree);
    // Readers that go make more droppable, readers that come do not make less.
    const readers = `${registered.join()}/${running.size}/${this.#core.history.startOf(tree.id)?.sequence}`;
    if (known === readers) return undefined;
    const plan = pickCovered(
      version,
      running,
      (smallest) => new Readers(registered, floor, smallest, time),
      (file) => this.#tombstonesOf(file),
    );
    if (plan === undefined) this.#uncovered.set(version, readers);
    return plan;
  }

  installed(tree: Tree, plan: CompactionPlan, output: JobOutput | undefined): void {
    const inputs = filesOf(plan);
    const outputs = output?.files ?? [];
    if (plan.kind !== 'move') this.live.forget(inputs.map((file) => file.number));
    if (output?.keysOut === output?.entriesOut) this.live.written(tree, plan.outputLevel, outputs);
    for (const { number } of inputs) this.#keeping.delete(number);
    if (plan.kind !== 'drop' && !CARE_REASONS.has(plan.reason)) return;
    if (this.#core.history.versionsOf(tree.id) > 0)
      for (const { number } of outputs) this.#keeping.add(number);
    this.reclaimed.compactions++;
    this.reclaimed.files += inputs.length;
    if (plan.kind !== 'move') this.reclaimed.bytes += Math.max(0, bytesOf(inputs) - bytesOf(outputs));
  }

  /** Those of a table that can not be read are not known; whoever needs it says why. */
  #tombstonesOf(file: FileMeta): FragmentedTombstones | undefined {
    try {
      return this.#core.tables.get(file).rangeTombstones;
    } catch {
      return undefined;
    }
  }

  #settled({ intervalMs }: ResolvedDefragment): (file: FileMeta) => boolean {
    const now = this.#core.clock.now();
    return (file) => (file.newestTime ?? 0) + intervalMs <= now;
  }

  #look(): void {
    this.#timer = undefined;
    const { state, poison, background, register } = this.#core;
    if (state.isClosed || poison.raised) return;
    // What somebody still reads can not go yet, and nobody says when he has read it.
    let isBusy = this.#hasChanged || register.count > 0;
    this.#hasChanged = false;
    for (const tree of state.trees.values()) {
      if (!tree.isNamed) continue;
      isBusy = this.#flushDeletes(tree) || isBusy;
      background.compactions.lookAgain(tree);
      this.#due.add(tree);
    }
    background.schedule();
    if (isBusy) this.changed();
    void this.#sample();
  }

  /** True when the tree is written to: it has to be looked at again. */
  #flushDeletes(tree: Tree): boolean {
    const { memtable } = tree.view;
    if (memtable === undefined || memtable.entries === 0) return false;
    const before = this.#lastWrites.get(tree);
    this.#lastWrites.set(tree, memtable.lastSequence);
    if (before !== memtable.lastSequence) return true;
    const hasDeletes =
      memtable.rangeTombstones() !== undefined ||
      (memtable.bytes >= MEMTABLE_BYTES_MIN && deletesShare(memtable.iterator()) >= DELETES_SHARE);
    if (hasDeletes) this.#core.background.rotate(tree);
    return false;
  }

  /** Looks at suspects, one after the other, and has them compacted for what comes out. */
  async #sample(): Promise<void> {
    const settings = this.#settings;
    if (this.#isLooking || settings === undefined) return;
    this.#isLooking = true;
    const isSettled = this.#settled(settings);
    const suspects = [...this.#core.state.trees.values()].flatMap((tree) =>
      !tree.isNamed || tree.settings.compaction.strategy === 'fifo'
        ? []
        : this.live.suspects(tree, settings.liveRatio, isSettled),
    );
    for (const suspect of suspects.slice(0, SAMPLES_MAX)) {
      if (this.#core.state.isClosed) break;
      await this.live.sample(suspect);
      this.#due.add(suspect.tree);
    }
    this.#isLooking = false;
    if (suspects.length === 0 || this.#core.state.isClosed) return;
    this.#core.background.schedule();
    this.changed();
  }
}

/** Share of deletes among the first entries of a memtable. */
function deletesShare(walk: { valid: boolean; kind: number; first(): void; next(): void }): number {
  let entries = 0;
  let deletes = 0;
  for (walk.first(); walk.valid && entries < LOOKED_ENTRIES; walk.next()) {
    entries++;
    if (walk.kind === KIND_DELETE) deletes++;
  }
  return entries === 0 ? 0 : deletes / entries;
}
