/** An open file of the simulated disk (sim-fs.ts). */
import type { FileHandle } from './file-system.ts';
import type { SimFile } from './sim-file.ts';
import type { Power } from './sim-power.ts';
import { systemFailure } from './system-error.ts';

export class SimHandle implements FileHandle {
  readonly path: string;
  readonly #file: SimFile;
  readonly #writable: boolean;
  readonly #power: Power;
  #open = true;

  constructor(path: string, file: SimFile, writable: boolean, power: Power) {
    this.path = path;
    this.#file = file;
    this.#writable = writable;
    this.#power = power;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    this.#check('read', true);
    return this.#file.read(target, offset, length, position);
  }

  write(source: Uint8Array, offset: number, length: number, position: number): number {
    this.#check('write', this.#writable);
    this.#power.before('write', this.path);
    this.#file.write(source, offset, length, position);
    return length;
  }

  size(): number {
    this.#check('fstat', true);
    return this.#file.length;
  }

  truncate(length: number): void {
    this.#check('ftruncate', this.#writable);
    this.#power.before('truncate', this.path);
    this.#file.resize(length);
  }

  sync(): void {
    this.#check('fsync', true);
    this.#power.before('sync', this.path);
    this.#file.sync();
  }

  dataSync(): void {
    this.#check('fdatasync', true);
    this.#power.before('dataSync', this.path);
    this.#file.sync();
  }

  close(): void {
    this.#open = false;
  }

  #check(operation: string, allowed: boolean): void {
    this.#power.check();
    if (!this.#open || !allowed) throw systemFailure('EBADF', operation, this.path);
  }
}
