/**
 * The simulated disk under SimFs: files (sim-file.ts), names, and which changes of names are durable.
 *
 * A change of names (create, mkdir, link, rename, remove) is one atomic group of entry changes. It is durable once every
 * directory it touches was synced after it; until then a crash keeps or loses it, independently of others, except that
 *   - changes of one name happen in order: a later one is kept only with the earlier ones;
 *   - a name of a file is taken away only if the names given to that file before are kept, so that a file that always had
 *     a name does not end without one (link and remove; journalling file systems give that much).
 * The same order holds when a sync makes a change durable: what it builds on becomes durable with it.
 */
import type { Random } from '../base/random.ts';
import { type EntryChange, setEntry, TreeDirectory } from './name-tree.ts';
import { SimFile, type Survival } from './sim-file.ts';

export type SimNode = SimFile | TreeDirectory<SimFile>;

interface PendingChange {
  readonly changes: readonly EntryChange<SimFile>[];
  readonly unsynced: Set<TreeDirectory<SimFile>>;
}

export interface CrashOptions {
  /** What happens to unsynced sectors; by default drawn for each file. */
  readonly data?: Survival;
  /** What happens to unsynced changes of names; by default drawn for each crash. */
  readonly names?: Survival;
}

const survivals: readonly Survival[] = ['everything', 'nothing', 'prefix', 'independent', 'independent'];

export class SimDisk {
  readonly root: TreeDirectory<SimFile>;
  #inodes: number;
  readonly #durable: WeakMap<TreeDirectory<SimFile>, Map<string, SimNode>> = new WeakMap();
  #pending: PendingChange[] = [];

  constructor(inodes = 1) {
    this.#inodes = inodes;
    this.root = new TreeDirectory(0);
  }

  newInode(): number {
    return this.#inodes++;
  }

  /** Notes a change of names that just happened. */
  changed(changes: readonly EntryChange<SimFile>[]): void {
    this.#pending.push({ changes, unsynced: new Set(changes.map(({ directory }) => directory)) });
  }

  /** Makes the changes of one directory durable. */
  syncDirectory(directory: TreeDirectory<SimFile>): void {
    const ready = new Set<PendingChange>();
    for (const change of this.#pending)
      if (change.unsynced.delete(directory) && change.unsynced.size === 0) ready.add(change);
    // Backwards, so that what a ready change builds on is found ready when its own turn comes.
    for (let i = this.#pending.length - 1; i >= 0; i--) {
      if (!ready.has(this.#pending[i]!)) continue;
      for (let j = 0; j < i; j++)
        if (buildsOn(this.#pending[i]!, this.#pending[j]!)) ready.add(this.#pending[j]!);
    }
    for (const { changes } of this.#pending.filter((change) => ready.has(change)))
      for (const change of changes) setEntry(this.#durableEntries(change.directory), change);
    this.#pending = this.#pending.filter((change) => !ready.has(change));
  }

  /** Changes of names that a crash could still take back. */
  get pendingNames(): number {
    return this.#pending.length;
  }

  /** The disk after power loss, all of it durable. This one stays as it is, so that one moment can crash in many ways. */
  afterCrash(random: Random, options: CrashOptions): SimDisk {
    const kept = this.#keptNames(random, options.names ?? random.pick(survivals));
    const after = new SimDisk(this.#inodes);
    const files = new Map<SimFile, SimFile>();
    const copy = (from: TreeDirectory<SimFile>, to: TreeDirectory<SimFile>): void => {
      const entries = new Map(this.#durableEntries(from));
      for (const { changes } of kept)
        for (const change of changes) if (change.directory === from) setEntry(entries, change);
      for (const [name, node] of entries) {
        if (node instanceof TreeDirectory) {
          const made = new TreeDirectory<SimFile>(node.inode);
          to.entries.set(name, made);
          copy(node, made);
        } else {
          const made = files.get(node) ?? node.afterCrash(random, options.data ?? random.pick(survivals));
          files.set(node, made);
          to.entries.set(name, made);
        }
      }
      after.#durable.set(to, new Map(to.entries));
    };
    copy(this.root, after.root);
    return after;
  }

  /** The pending changes that a crash keeps, in order. */
  #keptNames(random: Random, survival: Survival): Set<PendingChange> {
    const kept = new Set<PendingChange>();
    const cut = random.below(this.#pending.length + 1);
    for (const [i, change] of this.#pending.entries()) {
      const wanted =
        survival === 'everything' ||
        (survival === 'prefix' && i < cut) ||
        (survival === 'independent' && random.oneIn(2));
      if (!wanted) continue;
      const base = this.#pending.slice(0, i).filter((earlier) => buildsOn(change, earlier));
      if (base.every((earlier) => kept.has(earlier))) kept.add(change);
    }
    return kept;
  }

  #durableEntries(directory: TreeDirectory<SimFile>): Map<string, SimNode> {
    let entries = this.#durable.get(directory);
    if (entries === undefined) this.#durable.set(directory, (entries = new Map()));
    return entries;
  }
}

/** Does `later` happen only if `earlier` did? */
function buildsOn(later: PendingChange, earlier: PendingChange): boolean {
  return later.changes.some((change) =>
    earlier.changes.some(
      (before) =>
        (change.directory === before.directory && change.name === before.name) ||
        (change.before !== undefined && change.before === before.after),
    ),
  );
}
