/**
 * The block cache of several threads (packages/varve/src/cache/block-cache.ts): what a lookup found in an operation is that block,
 * whole, until the operation's end, whatever other threads insert, evict or drop meanwhile, and when the one that changes
 * the cache dies in the middle.
 */
import {
  BlockCache,
  CACHE_LOCK,
  type CacheSharing,
  isPast,
  pin,
  retire,
  SharedLock,
  unpin,
} from 'varve/internals';
import { type Control, join, makeControl, must } from './control.check.ts';
import { type Instance, instance, type ModelThread, thread } from './instance.ts';

interface Shared extends Control {
  readonly cache: ReturnType<BlockCache['handle']>;
}

interface Local {
  readonly words: Int32Array;
  readonly slot: number;
  readonly cache: BlockCache;
}

/** A block: its file and its offset, told by both of its words. */
type Block = readonly [file: number, offset: number];

const SLOT_BYTES = 4096;
const LENGTH = 8;
const NAMES = ['state', 'owners', 'stamps', 'lists'];

/** As the engine's CacheAccess, but asks at once whether the holder of the lock still runs. */
function sharingOf(words: Int32Array, slot: number): CacheSharing {
  const lock = new SharedLock(words, CACHE_LOCK, slot);
  return {
    tryLock() {
      const acquired = lock.tryAcquire(0);
      return acquired === 'busy' ? lock.tryInherit() : acquired;
    },
    unlock: () => lock.release(),
    retire: () => retire(words),
    isPast: (stamp) => isPast(words, stamp),
  };
}

function attach(shared: Shared, thread: number): Local {
  const { words, slot } = join(shared, thread);
  return { words, slot, cache: BlockCache.attach(shared.cache, sharingOf(words, slot)) };
}

function insert(cache: BlockCache, [file, offset]: Block): number {
  const bytes = new Uint8Array(new Int32Array([file * 100 + offset, file * 100 + offset]).buffer);
  return cache.insert(file, offset, bytes, 0, LENGTH);
}

/** Looks a block up in an operation, and reads it. */
function look({ words, slot, cache }: Local, [file, offset]: Block): boolean {
  pin(words, slot);
  const at = cache.lookup(file, offset);
  if (at >= 0) {
    const content = new Int32Array(cache.memory.buffer, at, 2);
    const [first, second] = [content[0]!, content[1]!];
    const wanted = file * 100 + offset;
    must(first === wanted && second === wanted, () => `block ${wanted} is ${first}, ${second}`);
  }
  unpin(words, slot);
  return at >= 0;
}

function reader(blocks: readonly Block[]): ModelThread<Shared, never> {
  return thread<Shared, Local>({
    name: 'reader',
    prepare: (shared, self) => attach(shared, self.index),
    run: (_, __, local) => blocks.map((block) => look(local, block)),
  });
}

/** Fills the cache, and then does with it what others are to notice. */
function changer(change: (cache: BlockCache) => void, mayDie = false): ModelThread<Shared, never> {
  return thread<Shared, Local>({
    name: 'changer',
    mayDie,
    prepare(shared, self) {
      const local = attach(shared, self.index);
      insert(local.cache, [1, 1]);
      insert(local.cache, [1, 2]);
      return local;
    },
    run: (_, __, { cache }) => change(cache),
  });
}

/** Uses the cache when the changer has died: what it then finds is right, and there when nobody reads beside it. */
const heir = (isAlone: boolean): ModelThread<Shared, never> =>
  thread<Shared, Local>({
    name: 'heir',
    isDaemon: true,
    prepare: (shared, self) => attach(shared, self.index),
    run(_, self, local) {
      self.untilDead(0);
      const blocks = [
        [1, 1],
        [2, 1],
        [1, 3],
        [2, 2],
        [1, 2],
      ] as const;
      for (let round = 0; round < 2; round++) {
        for (const block of blocks) {
          insert(local.cache, block);
          insert(local.cache, block);
          must(
            look(local, block) || !isAlone,
            () => `block ${block.join(',')} is not there although it was just put in`,
          );
        }
      }
      for (const block of blocks) look(local, block);
    },
  });

function caching(
  name: string,
  threads: readonly ModelThread<Shared, never>[],
  preemptionsMax?: number,
): Instance {
  return instance<Shared>({
    name,
    setup(label) {
      const control = makeControl(label);
      const cache = new BlockCache(2 * SLOT_BYTES).handle();
      cache.parts.forEach((part, i) => label(part, NAMES[i] ?? `cache part ${i}`));
      return { control, cache };
    },
    threads,
    ...(preemptionsMax === undefined ? {} : { preemptionsMax }),
  });
}

const insertTwice = (block: Block): ((cache: BlockCache) => void) => {
  return (cache) => {
    // The first one has a slot retired, the second one finds it when nobody reads in it any more.
    insert(cache, block);
    insert(cache, block);
  };
};

export const cacheInstances: readonly Instance[] = [
  caching('cache: lookups beside an insert that evicts', [
    changer(insertTwice([1, 3])),
    reader([
      [1, 1],
      [1, 3],
    ]),
  ]),
  caching('cache: a lookup beside a drop', [
    changer((cache) => {
      cache.drop(1);
      insert(cache, [2, 1]);
    }),
    reader([[1, 2]]),
  ]),
  caching('cache: the lock holder dies', [changer(insertTwice([1, 3]), true), heir(true)]),
];

export const cacheDeepInstances: readonly Instance[] = [
  caching(
    'cache: two threads insert beside a reader',
    [
      changer(insertTwice([1, 3])),
      thread<Shared, Local>({
        name: 'other',
        prepare: (shared, self) => attach(shared, self.index),
        run: (_, __, { cache }) => insert(cache, [2, 1]),
      }),
      reader([[1, 1]]),
    ],
    2,
  ),
  caching(
    'cache: the lock holder dies beside a reader',
    [changer(insertTwice([1, 3]), true), heir(false), reader([[1, 1]])],
    2,
  ),
];
