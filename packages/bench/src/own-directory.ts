/**
 * A database directory that a program of this package made and may therefore delete. The bench and the demo start from
 * a fresh database, and the path comes from the user: nothing is ever removed that was not made here.
 *
 * Rules: (1) a directory is ours when it holds our marker file; without it, anything but an empty or absent directory
 * is refused. (2) From our own directory only files with the names of a database are removed, one by one; whatever
 * else a user has put there stays; but for stores of other engines, which lie in a directory of their own that is ours as a whole. (3) A database that another process has open is not removed.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { open, VarveError } from 'varve';

/** The names a database gives its files: docs/internals/formats.md. Directories are never removed. */
const DATABASE_FILE =
  /^(?:(?:MANIFEST|OPTIONS|CACHE)-\d{6,16}|(?:\d{6,16}-)?\d{6,16}\.(?:wal|sst|idx|blob)|LOCK(?:\..+)?)$/;

/** Refused: the directory holds something that this program did not make. The message says what to do. */
export class ForeignDirectoryError extends Error {
  override readonly name = 'ForeignDirectoryError';
}

/** Claims `path` for `owner` ('demo' or 'bench'), creating it if need be; true when it was ours already. */
export function claimDirectory(path: string, owner: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && !stats.isDirectory()) {
    throw new ForeignDirectoryError(`${path} is a file; name a directory that may be created.`);
  }
  const marker = join(path, markerName(owner));
  if (existsSync(marker)) return true;
  if (stats !== undefined && readdirSync(path).length > 0) {
    throw new ForeignDirectoryError(
      `${path} holds files that the ${owner} did not make, and the ${owner} starts from an empty database. ` +
        `Nothing was changed; name another directory.`,
    );
  }
  mkdirSync(path, { recursive: true });
  writeFileSync(
    marker,
    `The ${owner} of Varve made this directory and deletes the database in it when it starts anew.\n`,
  );
  return false;
}

/**
 * Removes the database in a directory that was claimed before.
 * Throws the `VarveError` with code LOCKED when somebody has it open.
 */
export async function removeDatabase(path: string, owner: string): Promise<void> {
  if (!existsSync(join(path, markerName(owner)))) {
    throw new ForeignDirectoryError(`${path} was not made by the ${owner}; nothing was removed.`);
  }
  if (databaseFiles(path).length > 0) await refuseIfOpen(path);
  // Read again: opening the database made new files.
  for (const name of databaseFiles(path)) rmSync(join(path, name), { force: true });
}

/** Removes a directory with all that is in it, whatever engine made that; only one that was claimed before. */
export function removeStore(path: string, owner: string): void {
  if (existsSync(join(path, markerName(owner)))) rmSync(path, { recursive: true, force: true });
}

function databaseFiles(path: string): string[] {
  return readdirSync(path).filter(
    (name) => DATABASE_FILE.test(name) && !lstatSync(join(path, name)).isDirectory(),
  );
}

/** Opens and closes the database: whoever has it open is named in the error. One that is damaged may be removed. */
async function refuseIfOpen(path: string): Promise<void> {
  try {
    const db = await open(path, { createIfMissing: false });
    await db.close();
  } catch (error) {
    if (error instanceof VarveError && error.code === 'LOCKED') throw error;
  }
}

/** Bytes of all files directly in `path`; files that vanish meanwhile count nothing. */
export function directoryBytes(path: string): number {
  let bytes = 0;
  for (const name of readdirSync(path)) {
    const stats = lstatSync(join(path, name), { throwIfNoEntry: false });
    if (stats?.isFile()) bytes += stats.size;
  }
  return bytes;
}

function markerName(owner: string): string {
  return `.made-by-varve-${owner}`;
}
