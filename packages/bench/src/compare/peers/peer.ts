/**
 * The engines that are compared, and how one is opened: the door of this folder. An engine is imported when it is opened,
 * so one that is not installed stops nobody else.
 */
import type { Store } from '../../store.ts';
import type { StoreSettings } from './settings.ts';

/** The engine cannot be loaded here. The message says why and what to do. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError';
}

export type OpenStore = (settings: StoreSettings) => Promise<Store>;

/** Engines that run in Node, in the order of the table's columns. db_bench is a program of its own: ../db-bench.ts. */
export const nodeEngines = ['varve', 'classic-level', 'lmdb', 'rocksdb', 'sqlite'] as const;
export type NodeEngine = (typeof nodeEngines)[number];

type Adapter = { readonly open: OpenStore };
type Adapters = Readonly<Record<NodeEngine, () => Promise<Adapter>>>;

const advice: Readonly<Record<NodeEngine, string>> = {
  varve: 'run "npm run build"',
  'classic-level': 'run "npm install" in the checkout',
  lmdb: 'run "npm install" in the checkout',
  rocksdb:
    'run "npm install" in the checkout; @nxtedition/rocksdb has binaries for linux-x64 and darwin-arm64',
  sqlite: 'use Node 22.13 or newer; the scripts bring Node 24 where npm has it for this system',
};

/** A function, since each import must be written out for the tools that look for unused dependencies. */
export const adapters: Adapters = {
  varve: () => import('./varve.ts'),
  'classic-level': () => import('./classic-level.ts'),
  lmdb: () => import('./lmdb.ts'),
  rocksdb: () => import('./rocksdb.ts'),
  sqlite: () => import('./sqlite.ts'),
};

/** Opens an engine. Throws `UnavailableError` when it cannot be loaded; other errors are the engine's own. */
export async function openStore(
  engine: NodeEngine,
  settings: StoreSettings,
  known: Adapters = adapters,
): Promise<Store> {
  let adapter: Adapter;
  try {
    adapter = await known[engine]();
  } catch (error) {
    const [cause] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
    throw new UnavailableError(`${cause}; ${advice[engine]}`);
  }
  return await adapter.open(settings);
}
