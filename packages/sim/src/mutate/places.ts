/**
 * Where the judge opens its copies: in memory, or with a read mode in directories of a temporary one on disk. Every file
 * that is only read is then read in that way, the log and the manifest too. Background jobs run on the judge's thread
 * either way: a worker thread for each of thousands of databases would cost more than all the rest.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileSystem } from 'varve';
import { FaultFs, nodeFileSystem, type ReadMode, withReads } from 'varve/testing';
import { type DirectoryImage, loadDirectoryImage, writeDirectoryImage } from './directory-image.ts';
import { DIRECTORY } from './specimens.ts';

export interface Place {
  readonly path: string;
  readonly fileSystem: FileSystem;
  /** Removes what is left; the database is closed. */
  dispose(): void;
}

/** Puts copies of a database into fresh places. */
export type MakePlace = (image: DirectoryImage) => Place;

export const inMemory: MakePlace = (image) => ({
  path: DIRECTORY,
  fileSystem: loadDirectoryImage(image, DIRECTORY),
  dispose: () => undefined,
});

/** @throws VarveError `MMAP_UNAVAILABLE` (invalid) */
export function placesRead(mode: ReadMode | undefined): MakePlace {
  if (mode === undefined) return inMemory;
  const fileSystem = withReads(nodeFileSystem, mode);
  return (image) => {
    const root = mkdtempSync(join(tmpdir(), 'varve-mutate-'));
    const path = join(root, 'db');
    writeDirectoryImage(image, nodeFileSystem, path);
    // A wrapper without rules: it is not the system's own, so jobs stay on this thread.
    return {
      path,
      fileSystem: new FaultFs(fileSystem),
      dispose: () => rmSync(root, { recursive: true, force: true }),
    };
  };
}
