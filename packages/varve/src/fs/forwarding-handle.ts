/**
 * A handle that stands in front of another one and passes everything on: what reads differently (direct-handle.ts,
 * mapped-handle.ts) or is closed differently (held-files.ts) says only that. The thread that opened it uses and closes it.
 */
import type { FileHandle } from './file-system.ts';

export class ForwardingHandle implements FileHandle {
  readonly path: string;
  protected file: FileHandle;

  constructor(file: FileHandle) {
    this.path = file.path;
    this.file = file;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    return this.file.read(target, offset, length, position);
  }

  write(source: Uint8Array, offset: number, length: number, position: number): number {
    return this.file.write(source, offset, length, position);
  }

  size(): number {
    return this.file.size();
  }

  truncate(length: number): void {
    this.file.truncate(length);
  }

  sync(): void {
    this.file.sync();
  }

  dataSync(): void {
    this.file.dataSync();
  }

  close(): void {
    this.file.close();
  }
}
