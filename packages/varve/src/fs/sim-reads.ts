/**
 * Direct and mapped reads of the simulated disk: what the handles of table-reads.ts make of them runs in the simulation.
 *
 * A direct read whose position, length or memory is not aligned is EINVAL, as on a real disk; so is every one, or every
 * open, when `directRefusal` says so. A mapping is a fixed picture of the file; one that is looked at after it was unmapped
 * throws, where a real one would end the process.
 */
import type { FileHandle, Mapping, OtherReads } from './file-system.ts';
import type { SimFile } from './sim-file.ts';
import { SimHandle } from './sim-handle.ts';
import type { Power } from './sim-power.ts';
import { systemFailure } from './system-error.ts';

const ALIGNMENT = 4096;

/** Where direct reads are refused: never, when a file is opened, or only when it is read. */
export type DirectRefusal = 'none' | 'open' | 'read';

export class SimReads implements OtherReads {
  directRefusal: DirectRefusal = 'none';
  readonly #find: (path: string) => SimFile;
  readonly #power: Power;

  constructor(find: (path: string) => SimFile, power: Power) {
    this.#find = find;
    this.#power = power;
  }

  openDirect(path: string): FileHandle {
    const file = this.#find(path);
    if (this.directRefusal === 'open') throw systemFailure('EINVAL', 'open', path);
    return new DirectSimHandle(path, file, this.#power, this.directRefusal === 'read');
  }

  mapper(): ReturnType<OtherReads['mapper']> {
    return (path) => {
      const found = this.#find(path);
      const file = new SimHandle(path, found, false, this.#power);
      return { file, mapping: found.length === 0 ? undefined : map(found) };
    };
  }
}

function map(file: SimFile): Mapping {
  const view = new Uint8Array(file.length);
  file.read(view, 0, view.length, 0);
  // Detached memory can not be looked at.
  return { view, unmap: () => void structuredClone(view.buffer, { transfer: [view.buffer] }) };
}

class DirectSimHandle extends SimHandle {
  readonly #refuses: boolean;

  constructor(path: string, file: SimFile, power: Power, refuses: boolean) {
    super(path, file, false, power);
    this.#refuses = refuses;
  }

  override read(target: Uint8Array, offset: number, length: number, position: number): number {
    const memory = target.byteOffset + offset;
    if (this.#refuses || [memory, length, position].some((number) => number % ALIGNMENT !== 0)) {
      throw systemFailure('EINVAL', 'read', this.path);
    }
    return super.read(target, offset, length, position);
  }
}
