/**
 * An open file of the machine, by the synchronous calls of `node:fs`; what node-fs.ts opens, and what direct and mapped
 * handles are made of.
 *
 * Every read and write goes to an explicit position (pread, pwrite), so several threads can hold descriptors of one file.
 * A descriptor is used and closed by the thread that opened it. A closed handle answers EBADF itself: its number may
 * already belong to another file.
 */
import * as nodeFs from 'node:fs';
import { ioError } from '../base/errors.ts';
import type { FileHandle } from './file-system.ts';
import { systemFailure } from './system-error.ts';

export class NodeHandle implements FileHandle {
  readonly path: string;
  #descriptor: number;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  // Not through `run`: a closure per block read or log hand-over is what the short-lived heap does not need.
  read(target: Uint8Array, offset: number, length: number, position: number): number {
    if (this.#descriptor < 0) throw systemFailure('EBADF', 'read', this.path);
    try {
      return nodeFs.readSync(this.#descriptor, target, offset, length, position);
    } catch (error) {
      throw ioError('read', this.path, error);
    }
  }

  write(source: Uint8Array, offset: number, length: number, position: number): number {
    if (this.#descriptor < 0) throw systemFailure('EBADF', 'write', this.path);
    try {
      return nodeFs.writeSync(this.#descriptor, source, offset, length, position);
    } catch (error) {
      throw ioError('write', this.path, error);
    }
  }

  size(): number {
    return this.#run('fstat', (descriptor) => nodeFs.fstatSync(descriptor).size);
  }

  truncate(length: number): void {
    this.#run('ftruncate', (descriptor) => nodeFs.ftruncateSync(descriptor, length));
  }

  sync(): void {
    this.#run('fsync', nodeFs.fsyncSync);
  }

  dataSync(): void {
    this.#run('fdatasync', nodeFs.fdatasyncSync);
  }

  close(): void {
    if (this.#descriptor < 0) return;
    const descriptor = this.#descriptor;
    this.#descriptor = -1;
    run('close', this.path, () => nodeFs.closeSync(descriptor));
  }

  #run<T>(operation: string, call: (descriptor: number) => T): T {
    const descriptor = this.#descriptor;
    if (descriptor < 0) throw systemFailure('EBADF', operation, this.path);
    return run(operation, this.path, () => call(descriptor));
  }
}

/** Runs a call of the system; its failure becomes a VarveError of kind `io`. */
export function run<T>(operation: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw ioError(operation, path, error);
  }
}

/** Opens with the flags of `fs.openSync`. */
export function openNode(path: string, flags: string | number): NodeHandle {
  return new NodeHandle(
    path,
    run('open', path, () => nodeFs.openSync(path, flags)),
  );
}
