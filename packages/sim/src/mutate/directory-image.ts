/**
 * The files of a database as plain bytes: taken from any file system, loaded into a fresh one in memory. A copy that is
 * taken while the database is open is what a crash of the process at that moment would leave.
 */
import type { FileSystem } from 'varve';
import { MemoryFs } from 'varve/testing';

/** Name -> bytes. Plain data: it can be sent to another thread. */
export type DirectoryImage = ReadonlyMap<string, Uint8Array>;

/** All files directly in `directory`, without the lock. */
export function readDirectoryImage(fs: FileSystem, directory: string): DirectoryImage {
  const image = new Map<string, Uint8Array>();
  for (const name of fs.list(directory)) {
    const path = `${directory}/${name}`;
    if (name.startsWith('LOCK') || fs.status(path)?.kind !== 'file') continue;
    const file = fs.open(path, 'read');
    const bytes = new Uint8Array(file.size());
    for (let at = 0; at < bytes.length; ) {
      const got = file.read(bytes, at, bytes.length - at, at);
      if (got === 0) break;
      at += got;
    }
    file.close();
    image.set(name, bytes);
  }
  return image;
}

/** A file system in memory with a copy of the files in `directory`. */
export function loadDirectoryImage(image: DirectoryImage, directory: string): MemoryFs {
  const fs = new MemoryFs();
  writeDirectoryImage(image, fs, directory);
  return fs;
}

/** Makes `directory` with a copy of the files. */
export function writeDirectoryImage(image: DirectoryImage, fs: FileSystem, directory: string): void {
  fs.makeDirectory(directory);
  for (const [name, bytes] of image) {
    const file = fs.open(`${directory}/${name}`, 'create');
    if (bytes.length > 0) file.write(bytes, 0, bytes.length, 0);
    file.close();
  }
}
