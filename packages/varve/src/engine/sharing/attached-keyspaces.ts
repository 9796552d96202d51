/**
 * The keyspaces of an attached thread by name: those that the manifest names are opened here, new ones by the owner.
 */
import type { CodeSource } from '../../base/code-source.ts';
import { invalid } from '../../base/errors.ts';
import type { MergeOperator } from '../../base/merge-operator.ts';
import type { KeyspaceRecord } from '../../manifest/version-edit.ts';
import { hasPicker } from '../../options/compaction-settings.ts';
import { KeyspaceHandle } from '../keyspace.ts';
import type { KeyspaceOptions } from '../keyspace-types.ts';
import { bytes } from '../codecs/bytes.ts';
import type { KeyCodec, ValueCodec } from '../codecs/codec.ts';
import type { Session } from '../core.ts';
import { checkedSettings, checkSame, type KeyspaceAnswer, type KeyspaceRequest } from '../keyspace-table.ts';
import { checkSameOperator, givenCode } from '../merging/code-options.ts';
import { storedOperator } from '../merging/merged-value.ts';
import type { Tree } from '../tree.ts';

export interface AttachedKeyspacesEnv {
  readonly session: Session;
  /** The keyspace, when this thread knows it and need not ask. */
  known(name: string): KeyspaceAnswer | undefined;
  /** The owner's answer. */
  ask(request: KeyspaceRequest): KeyspaceAnswer;
  /** Tells the owner of a keyspace that is used as it is: what nobody has named is not compacted. */
  tellNamed(name: string): void;
  makeTree(answer: KeyspaceAnswer): Tree;
}

type AnyHandle = KeyspaceHandle<unknown, unknown>;

export class AttachedKeyspaces {
  readonly #env: AttachedKeyspacesEnv;
  readonly #open = new Map<string, { readonly handle: AnyHandle; readonly tree: Tree }>();

  constructor(env: AttachedKeyspacesEnv) {
    this.#env = env;
  }

  open<K, V>(name: string, options: KeyspaceOptions<K, V> = {}): KeyspaceHandle<K, V> {
    const settings = checkedSettings(name, options);
    const { operator, filter } = givenCode(options);
    if (filter !== undefined) {
      const message = `keyspace '${name}': a compaction filter is given where the database was opened`;
      throw invalid('OPTION_INVALID', message, { option: 'compactionFilter', keyspace: name });
    }
    const open = this.#open.get(name);
    if (open !== undefined && !open.tree.isDropped) {
      const { codecs } = open.handle;
      checkSame(name, 'key', codecs.key.name, options.key);
      checkSame(name, 'value', codecs.value.name, options.value);
      if (operator !== undefined) checkSameOperator(name, storedOperator(open.tree), operator.source.name);
      if (Object.keys(settings).length > 0 || operator !== undefined) {
        const { record } = this.#ask(name, options, operator?.source, settings);
        take(open.tree, operator?.code, record);
      }
      return open.handle as unknown as KeyspaceHandle<K, V>;
    }
    const isKnown = Object.keys(settings).length === 0 && operator === undefined;
    const known = isKnown ? this.#env.known(name) : undefined;
    if (known !== undefined) this.#env.tellNamed(name);
    const answer = known ?? this.#ask(name, options, operator?.source, settings);
    checkSame(name, 'key', answer.record.keyCodec, options.key);
    const key = (options.key ?? bytes) as KeyCodec<K>;
    const value = (options.value ?? bytes) as ValueCodec<V>;
    const tree = this.#env.makeTree(answer);
    take(tree, operator?.code, answer.record);
    const handle = new KeyspaceHandle<K, V>(this.#env.session, tree, key, value);
    this.#open.set(name, { handle: handle as unknown as AnyHandle, tree });
    return handle;
  }

  #ask<K, V>(
    name: string,
    options: KeyspaceOptions<K, V>,
    operator: CodeSource | undefined,
    settings: Record<string, unknown>,
  ): KeyspaceAnswer {
    if (hasPicker(settings['compaction'])) {
      const message = `keyspace '${name}': a picker is a function of one thread; give it where the database was opened`;
      throw invalid('OPTION_INVALID', message, { option: 'compaction', keyspace: name });
    }
    return this.#env.ask({
      name,
      key: options.key?.name,
      value: options.value?.name,
      operator,
      settings,
    });
  }
}

/** This thread's tree reads and writes with the operator that it was opened with here. */
function take(tree: Tree, operator: MergeOperator | undefined, { mergeOperator }: KeyspaceRecord): void {
  if (mergeOperator !== undefined) tree.code.storedOperator = mergeOperator;
  if (operator === undefined) return;
  tree.code.operator = operator;
  tree.code.forget();
}
