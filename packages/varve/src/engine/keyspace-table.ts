/**
 * The keyspaces of an open database: opening, creating and dropping them by name.
 *
 * Creating and dropping are log records with a sequence of their own, followed by a manifest edit (CONTRACT 1); ids are
 * never reused. The codec names are stored: a keyspace reopened with another key codec is refused, because its order and
 * its keys would mean something else. Leaving the codec out means bytes, for whatever is stored.
 */
import type { CodeSource } from '../base/code-source.ts';
import { invalid, VarveError } from '../base/errors.ts';
import type { StoredCode } from '../base/merge-operator.ts';
import type { KeyspaceRecord, VersionEdit } from '../manifest/version-edit.ts';
import type { CodeRole } from '../manifest/keyspace-code.ts';
import { gatheredFiles, withoutPicker } from '../options/compaction-settings.ts';
import type { RetentionOption } from '../options/retention.ts';
import { RECORD_KEYSPACE } from '../record/log-record.ts';
import { type ResolvedKeyspaceSettings, resolveKeyspaceSettings } from '../options/resolve.ts';
import type { KeyspaceOptions } from './keyspace-types.ts';
import { bytes } from './codecs/bytes.ts';
import type { KeyCodec, ValueCodec } from './codecs/codec.ts';
import type { Core } from './core.ts';
import { writableCodec } from './job-input.ts';
import { KeyspaceHandle } from './keyspace.ts';
import { type CreatedCode, editOfChange, encodeKeyspaceChange } from './keyspace-change.ts';
import {
  checkSameOperator,
  checkTogether,
  codeOptions,
  createdCode,
  givenCode,
  storedOf,
} from './merging/code-options.ts';
import { codesOf } from '../manifest/version.ts';
import { storedOperator } from './merging/merged-value.ts';
import { recordNow, takeCode, takeSource } from './merging/take-code.ts';
import { Tree } from './tree.ts';

const NAME_BYTES_MAX = 255;
const optionNames = new Set(['key', 'value', ...codeOptions]);

/** What an attached thread asks the owner for: a keyspace by name, with the names of its codecs. */
export interface KeyspaceRequest {
  readonly name: string;
  readonly key: string | undefined;
  readonly value: string | undefined;
  /** Its merge operator, as jobs find it. */
  readonly operator: CodeSource | undefined;
  readonly settings: Record<string, unknown>;
}

export interface KeyspaceAnswer {
  readonly record: KeyspaceRecord;
  readonly settings: ResolvedKeyspaceSettings;
}

type AnyHandle = KeyspaceHandle<unknown, unknown>;

export class KeyspaceTable {
  readonly #core: Core;
  readonly #handles = new Map<string, AnyHandle>();
  readonly #newTree: (record: KeyspaceRecord, core: Core) => Tree;
  readonly #trees = new Map<string, Tree>();
  #nextId: number;
  /** Keyspaces that are named by one edit, which still waits for its turn: ten thousand new ones take a few edits. */
  #creation: { readonly records: KeyspaceRecord[]; readonly edit: () => VersionEdit } | undefined;

  constructor(core: Core, nextId: number, newTree: (record: KeyspaceRecord, core: Core) => Tree) {
    this.#core = core;
    this.#nextId = nextId;
    this.#newTree = newTree;
    for (const tree of core.state.trees.values()) this.#trees.set(tree.name, tree);
  }

  names(): string[] {
    return [...this.#core.state.trees.values()].map((tree) => tree.name).sort();
  }

  /** The trees of the state are others now: handles of those that are gone are forgotten. */
  follow(): void {
    this.#trees.clear();
    for (const tree of this.#core.state.trees.values()) this.#trees.set(tree.name, tree);
    for (const [name, handle] of this.#handles) {
      if (this.#trees.get(name)?.id !== handle.id) this.#handles.delete(name);
    }
  }

  open<K, V>(name: string, options: KeyspaceOptions<K, V> = {}): KeyspaceHandle<K, V> {
    const settings = checkedSettings(name, options);
    const code = givenCode(options);
    const resolved = this.#resolve(name, settings);
    const known = this.#handles.get(name);
    this.#checkCode(name, this.#trees.get(name), code, known, settings, resolved);
    if (known !== undefined) {
      checkSame(name, 'key', known.codecs.key.name, options.key);
      checkSame(name, 'value', known.codecs.value.name, options.value);
      const tree = this.#trees.get(name)!;
      if (Object.keys(settings).length > 0) this.#set(tree, resolved);
      takeCode(this.#core, tree, code, this.#store);
      return known as unknown as KeyspaceHandle<K, V>;
    }
    const key = (options.key ?? bytes) as KeyCodec<K>;
    const value = (options.value ?? bytes) as ValueCodec<V>;
    let tree = this.#trees.get(name);
    if (tree === undefined) tree = this.#create(name, key.name, value.name, createdCode(code));
    else checkSame(name, 'key', tree.record.keyCodec, options.key);
    this.#set(tree, resolved);
    takeCode(this.#core, tree, code, this.#store);
    const handle = new KeyspaceHandle<K, V>(this.#core, tree, key, value);
    this.#handles.set(name, handle as unknown as AnyHandle);
    return handle;
  }

  /** For an attached thread: the keyspace, made when there is none. Its codecs are that thread's; here only their names count. */
  ensure(request: KeyspaceRequest): KeyspaceAnswer {
    const { name, key, value, operator, settings } = request;
    const resolved = this.#resolve(name, settings);
    let tree = this.#trees.get(name);
    const given = { operator: operator === undefined ? undefined : { source: operator }, filter: undefined };
    this.#checkCode(name, tree, given, this.#handles.get(name), settings, resolved);
    const isNew = tree === undefined;
    if (tree === undefined) {
      const code = operator === undefined ? {} : { mergeOperator: storedOf(operator) };
      tree = this.#create(name, key ?? bytes.name, value ?? bytes.name, code);
    } else checkSame(name, 'key', tree.record.keyCodec, key === undefined ? undefined : { name: key });
    if (isNew || !tree.isNamed || Object.keys(settings).length > 0) this.#set(tree, resolved);
    if (operator !== undefined) takeSource(this.#core, tree, operator, this.#store);
    return { record: recordNow(tree), settings: withoutPicker(tree.settings) };
  }

  /** An attached thread uses the keyspace as it is: by the defaults, unless somebody says more. */
  named(name: string): void {
    const tree = this.#trees.get(name);
    if (tree?.isNamed === false) this.#set(tree, this.#resolve(name, {}));
  }

  /** Before anything is made or changed: do the operator and the settings fit what is there? */
  #checkCode(
    name: string,
    tree: Tree | undefined,
    code: { readonly operator: { readonly source: CodeSource } | undefined; readonly filter: unknown },
    known: unknown,
    settings: Record<string, unknown>,
    resolved: ResolvedKeyspaceSettings,
  ): void {
    const operator = code.operator?.source;
    if (tree !== undefined) checkSameOperator(name, storedOperator(tree), operator?.name);
    const isSet = known === undefined || Object.keys(settings).length > 0;
    const settled = isSet || tree === undefined ? resolved : tree.settings;
    const { ttlMs, compaction } = settled;
    checkTogether(name, {
      ttlMs,
      isTtlDefault: settings['ttlMs'] === undefined && ttlMs === this.#core.options.keyspaceDefaults.ttlMs,
      strategy: compaction.strategy,
      retention: settled.retention ?? this.#core.history.retentionOf(tree?.id ?? -1),
      hasOperator: (operator ?? tree?.code.operatorSource) !== undefined,
      hasFilter: (code.filter ?? tree?.code.filterSource) !== undefined,
    });
  }

  /** Stores what user code a keyspace has: a log record and an edit, as of a new keyspace. */
  readonly #store = (tree: Tree, role: CodeRole, { name, version }: StoredCode): void => {
    const { state, editFacts } = this.#core;
    const sequence = this.#log({ change: 'code', id: tree.id, role, name, version });
    const edit = (): VersionEdit => {
      state.pendingChanges.delete(sequence);
      const keyspaceCodes = tree.isDropped ? [] : [{ keyspace: tree.id, role, name, version }];
      return { keyspaceCodes, metaSequence: sequence, ...editFacts() };
    };
    void this.#install(edit).catch(() => {
      // Poisoned or closed: the log record has it, and the next write says why.
    });
  };

  #resolve(name: string, settings: Record<string, unknown>): ResolvedKeyspaceSettings {
    const { keyspaceDefaults, memtableBytesMax, defragment, timestamps } = this.#core.options;
    const resolved = resolveKeyspaceSettings(
      settings,
      keyspaceDefaults,
      memtableBytesMax,
      defragment,
      timestamps,
    );
    for (const codec of resolved.compression) writableCodec(codec);
    // A retention is kept with its keyspace: the default is for new ones.
    const isStored = this.#trees.has(name) && settings['retention'] === undefined;
    return isStored ? { ...resolved, retention: undefined } : resolved;
  }

  async drop(name: string): Promise<void> {
    const core = this.#core;
    const tree = this.#trees.get(name);
    if (tree === undefined) {
      throw invalid('KEYSPACE_NOT_FOUND', `there is no keyspace '${String(name)}'`, {
        keyspaces: this.names(),
      });
    }
    core.pipeline.checkMutable();
    checkNotPrepared(core, tree);
    const sequence = this.#log({ change: 'drop', id: tree.id, name });
    core.state.trees.delete(tree.id);
    this.#trees.delete(name);
    this.#handles.delete(name);
    core.history.forget(tree.id);
    tree.drop();
    core.pressure.relieved();
    core.state.sharing?.progress();
    let files: number[] = [];
    let blobs: number[] = [];
    await this.#install(() => {
      // Flushes and compactions that were installed since the drop count too.
      const version = core.installer.version.keyspaces.get(tree.id);
      files = (version?.levels ?? []).flat().map((file) => file.number);
      blobs = [...(version?.blobs.keys() ?? [])];
      core.state.pendingChanges.delete(sequence);
      return { keyspacesDropped: [tree.id], metaSequence: sequence, ...core.editFacts() };
    });
    core.background.forget(files, blobs);
  }

  #set(tree: Tree, settings: ResolvedKeyspaceSettings): void {
    const { isNamed } = tree;
    const before = gatheredFiles(tree.settings.compaction);
    tree.settings = settings;
    if (settings.retention !== undefined) this.#retain(tree, settings.retention);
    this.#core.state.sharing?.flushSizeChanged(tree);
    this.#core.state.sharing?.ttlChanged(tree);
    // How many files in level 0 are too many depends on it.
    if (isNamed && gatheredFiles(settings.compaction) !== before) {
      this.#core.background.versionInstalled(this.#core.installer.current);
    }
    if (!isNamed) this.#core.background.named(tree);
    this.#core.background.schedule();
  }

  #retain(tree: Tree, retention: RetentionOption): void {
    const core = this.#core;
    const change = core.history.changeTo(tree, retention);
    if (change === undefined) return;
    core.pipeline.checkMutable();
    const sequence = this.#log(change);
    core.history.retain(change);
    const edit = (): VersionEdit => {
      core.state.pendingChanges.delete(sequence);
      return { ...editOfChange(change, sequence), ...core.editFacts() };
    };
    void this.#install(edit).catch(() => {
      // Poisoned or closed: the log record has it, and the next write says why.
    });
  }

  #create(name: string, keyCodec: string, valueCodec: string, code: CreatedCode): Tree {
    const core = this.#core;
    if (core.options.readOnly) {
      throw invalid(
        'KEYSPACE_NOT_FOUND',
        `there is no keyspace '${name}', and a read-only database makes none`,
        {
          keyspaces: this.names(),
        },
      );
    }
    core.pipeline.checkMutable();
    const id = this.#nextId++;
    const sequence = this.#log({ change: 'create', id, name, keyCodec, valueCodec, ...code });
    const record: KeyspaceRecord = { id, name, keyCodec, valueCodec, ...code, createdSequence: sequence };
    const tree = this.#newTree(record, core);
    core.state.trees.set(id, tree);
    this.#trees.set(name, tree);
    core.state.sharing?.addTree(tree);
    this.#installCreation(record);
    return tree;
  }

  /** With the edit of the creations before it when that is the last of all that wait: edits stay in the order of the log. */
  #installCreation(record: KeyspaceRecord): void {
    const { state, installer, editFacts } = this.#core;
    if (this.#creation !== undefined && installer.lastWaiting === this.#creation.edit) {
      this.#creation.records.push(record);
      return;
    }
    const records = [record];
    const edit = (): VersionEdit => {
      for (const { createdSequence } of records) state.pendingChanges.delete(createdSequence);
      return {
        keyspacesCreated: records,
        keyspaceCodes: records.flatMap(codesOf),
        metaSequence: records.at(-1)!.createdSequence,
        ...editFacts(),
      };
    };
    this.#creation = { records, edit };
    void this.#install(edit).catch(() => {
      // Poisoned or closed: the log record has it, and the next write says why.
    });
  }

  /** Writes the change as a log record; returns its sequence. With an outside log the manifest alone has it. */
  #log(change: Parameters<typeof encodeKeyspaceChange>[0]): number {
    const { state, durability } = this.#core;
    if (durability === undefined) return state.visible;
    durability.admit();
    const body = encodeKeyspaceChange(change);
    return state.exclusive(() => {
      const sequence = state.visible + 1;
      durability.append(RECORD_KEYSPACE, sequence, state.time.now(), body, 0, body.length);
      state.visible = sequence;
      // Until the edit is made that carries it: no other edit may let replay start behind the record.
      state.pendingChanges.add(sequence);
      return sequence;
    });
  }

  #install(edit: () => VersionEdit): Promise<void> {
    this.#core.runner.hold();
    return new Promise<void>((resolve, reject) => {
      this.#core.installer.install(edit, (error) => (error === undefined ? resolve() : reject(error)));
    }).finally(() => this.#core.runner.unhold());
  }
}

/** What is prepared is sure to be written when it is decided so. */
function checkNotPrepared({ state }: Core, tree: Tree): void {
  for (const [id, { locks }] of state.prepared) {
    if (!locks.some(({ keyspaceId }) => keyspaceId === tree.id)) continue;
    const message = `keyspace '${tree.name}' is not dropped while the transaction '${id}', which uses it, is prepared`;
    throw new VarveError('conflict', 'KEYSPACE_PREPARED', message, { keyspace: tree.name, prepared: id });
  }
}

/** The settings among the options of a keyspace, of which name and codecs are checked here. */
export function checkedSettings(
  name: string,
  options: KeyspaceOptions<unknown, unknown>,
): Record<string, unknown> {
  checkName(name);
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid('OPTION_INVALID', 'the options of a keyspace are an object', { got: typeof options });
  }
  checkCodec('key', options.key);
  checkCodec('value', options.value);
  return Object.fromEntries(Object.entries(options).filter(([option]) => !optionNames.has(option)));
}

function checkName(name: unknown): asserts name is string {
  if (typeof name === 'string' && name.length > 0 && Buffer.byteLength(name) <= NAME_BYTES_MAX) return;
  throw invalid('NAME_INVALID', `a keyspace name is a string of 1 to ${NAME_BYTES_MAX} bytes`, {
    got: typeof name === 'string' ? name.length : typeof name,
  });
}

function checkCodec(option: 'key' | 'value', codec: unknown): void {
  if (codec === undefined) return;
  const candidate = codec as Partial<KeyCodec<unknown>> | null;
  const complete =
    typeof candidate === 'object' &&
    candidate !== null &&
    typeof candidate.name === 'string' &&
    typeof candidate.encode === 'function' &&
    typeof candidate.decode === 'function';
  if (!complete) {
    throw invalid('OPTION_INVALID', `${option} must be a codec: { name, encode, decode }`, {
      option,
      got: typeof codec,
    });
  }
}

export function checkSame(
  keyspace: string,
  what: 'key' | 'value',
  stored: string,
  given: { name: string } | undefined,
): void {
  if (given === undefined || given.name === stored) return;
  throw invalid(
    'KEYSPACE_CODEC',
    `keyspace '${keyspace}' has the ${what} codec '${stored}'; got '${given.name}'`,
    {
      keyspace,
      expected: stored,
      got: given.name,
    },
  );
}
