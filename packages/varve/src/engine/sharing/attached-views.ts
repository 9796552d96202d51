/**
 * The keyspaces that an attached thread has open, kept at the current generation: memtables from shared memory, tables from
 * the manifest, read up to where the owner says that it describes them.
 *
 * Called at the beginning of an operation (thread-access.ts), so nothing that the words name goes away meanwhile; what was
 * read is thrown away when the generation has changed before it was complete.
 */
import type { SegmentPool } from '../../arena/segment-pool.ts';
import type { KeyspaceRecord } from '../../manifest/version-edit.ts';
import { applyEdit, emptyKeyspace, type KeyspaceVersion, type Version } from '../../manifest/version.ts';
import type { ManifestFollower } from '../../manifest/follow.ts';
import type { TableCache } from '../../sstable/table-cache.ts';
import type { EngineState } from '../state.ts';
import type { Tree } from '../tree.ts';
import { MANIFEST_BYTES } from './control-words.ts';
import type { KeyspaceWords } from './keyspace-words.ts';
import { loadSequence } from './sequence-words.ts';
import { type AheadIngestion, readAhead } from './shared-ahead.ts';
import type { SharedViews } from './shared-views.ts';

export interface AttachedViewsEnv {
  readonly control: Int32Array;
  readonly state: EngineState;
  readonly rows: KeyspaceWords;
  readonly views: SharedViews;
  readonly manifest: ManifestFollower;
  readonly tables: TableCache;
  readonly pool: SegmentPool;
}

export class AttachedViews {
  readonly #env: AttachedViewsEnv;
  /** Of the manifest, and what is shown: with the ingestion that was ahead of it. */
  #version: Version | undefined;
  #shown: Version | undefined;
  #aheadSequence = 0;

  constructor(env: AttachedViewsEnv) {
    this.#env = env;
  }

  /** `AccessHooks.follow`. */
  follow(isCurrent: () => boolean): boolean {
    const { control, state, rows, views, manifest, pool } = this.#env;
    const trees = [...state.trees.values()];
    const bytes = loadSequence(control, MANIFEST_BYTES);
    const descriptors = trees.map((tree) =>
      rows.isDropped(tree.id) ? undefined : views.descriptors(tree.id),
    );
    const ahead = readAhead(control, pool, state.path);
    if (!isCurrent()) return false;
    const version = this.#withAhead(manifest.advance(bytes), ahead);
    trees.forEach((tree, i) => this.#show(tree, descriptors[i], version));
    return true;
  }

  /** The version of the manifest with what is ahead of it. */
  #withAhead(version: Version, ahead: AheadIngestion | undefined): Version {
    const aheadSequence = ahead?.sequence ?? 0;
    if (version === this.#version && aheadSequence === this.#aheadSequence) return this.#shown!;
    const shown = ahead === undefined ? version : applyEdit(version, ahead.decode());
    this.#version = version;
    this.#aheadSequence = aheadSequence;
    this.#shown = shown;
    this.#forgetTables(shown);
    return shown;
  }

  /** The version that is shown. */
  get #current(): Version {
    return this.#shown ?? this.#env.manifest.version;
  }

  /** A keyspace that this thread opens: from now on it is kept up to date. */
  add(tree: Tree): void {
    const { state, views, rows } = this.#env;
    state.trees.set(tree.id, tree);
    this.#show(tree, rows.isDropped(tree.id) ? undefined : views.descriptors(tree.id), this.#current);
  }

  /** The record of a keyspace that the manifest names, unless it was dropped since. */
  recordOf(name: string): KeyspaceRecord | undefined {
    const { rows } = this.#env;
    for (const { record } of this.#current.keyspaces.values()) {
      if (record.name === name && rows.has(record.id) && !rows.isDropped(record.id)) return record;
    }
    return undefined;
  }

  versionOf(record: KeyspaceRecord): KeyspaceVersion {
    return this.#current.keyspaces.get(record.id) ?? emptyKeyspace(record);
  }

  #show(tree: Tree, descriptors: readonly number[] | undefined, version: Version): void {
    const { state, views } = this.#env;
    if (descriptors === undefined) {
      tree.leave();
      state.trees.delete(tree.id);
      return;
    }
    const [active, ...immutables] = descriptors;
    tree.show(
      active === 0 ? undefined : views.attach(active!),
      immutables.map((descriptor) => views.attach(descriptor)),
      version.keyspaces.get(tree.id) ?? tree.view.version,
    );
  }

  /** Closes the tables that no version names any more: the owner removes their files. */
  #forgetTables(version: Version): void {
    const live = new Set<number>();
    for (const { levels, blobs } of version.keyspaces.values()) {
      for (const files of levels) for (const file of files) live.add(file.number);
      for (const number of blobs.keys()) live.add(number);
    }
    this.#env.tables.closeAllBut(live);
  }
}
