/** Helpers for tests of the simulated disk: a durable start, and all outcomes of a crash. */
import { Random } from '../base/random.ts';
import { writeFully } from './file-system.ts';
import type { CrashOptions } from './sim-disk.ts';
import { SimFs } from './sim-fs.ts';

export const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);

export function put(fs: SimFs, path: string, content: Uint8Array, sync = true): void {
  const file = fs.open(path, fs.status(path) === undefined ? 'create' : 'readWrite');
  writeFully(file, content, 0, content.length, 0);
  if (sync) file.sync();
  file.close();
}

/** A disk with /db, and whatever `prepare` makes of it, all of it durable. */
export function durable(prepare: (fs: SimFs) => void): SimFs {
  const fs = new SimFs();
  fs.makeDirectory('/db');
  fs.syncDirectory('/');
  prepare(fs);
  fs.syncDirectory('/db');
  return fs;
}

/** What `look` sees after each of many crashes of the same moment. */
export function outcomes(fs: SimFs, look: (after: SimFs) => string, options?: CrashOptions): Set<string> {
  const seen = new Set<string>();
  for (let seed = 0; seed < 200; seed++) seen.add(look(fs.crash(new Random(seed), options)));
  return seen;
}

export const names = (fs: SimFs): string => fs.list('/db').join(' ');
