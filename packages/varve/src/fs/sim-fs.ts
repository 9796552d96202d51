/**
 * A file system on a simulated disk: it promises exactly what docs/internals/assumptions.md does, and a crash takes away
 * everything else. The simulation and the recovery tests run the real engine on it.
 *
 * One SimFs is one life of the machine. It ends by `crash` (power loss: unsynced data and names are kept, lost, torn or
 * come back old, as a seed says), by `crashProcess` (SIGKILL: everything handed over is kept, though still not synced) or
 * by `onOperation` throwing a SimulatedCrash. From then on every call on it and on its handles throws SimulatedCrash; only
 * closing and releasing are silent. The next life is the SimFs that `crash` or `crashProcess` returns.
 */
import { internal } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import type { DirectoryLock, FileHandle, FileStatus, FileSystem, OpenMode } from './file-system.ts';
import { NameTree, partsOf, TreeDirectory } from './name-tree.ts';
import { claim, type LockTable } from './open-registry.ts';
import { type CrashOptions, SimDisk } from './sim-disk.ts';
import { SimFile } from './sim-file.ts';
import { SimHandle } from './sim-handle.ts';
import { Power, type SimOperation } from './sim-power.ts';
import { SimReads } from './sim-reads.ts';

export class SimFs implements FileSystem {
  readonly name = 'simulated';
  readonly threads = 'none';
  /** Direct and mapped reads; direct ones can be made to be refused. */
  readonly otherReads: SimReads;
  /** Called before each operation; throwing a SimulatedCrash turns the machine off before it happened. */
  onOperation: ((operation: SimOperation, path: string) => void) | undefined;
  readonly #disk: SimDisk;
  readonly #tree: NameTree<SimFile>;
  readonly #locks: LockTable = new Map();
  readonly #power: Power;

  constructor(disk: SimDisk = new SimDisk()) {
    this.#disk = disk;
    this.#tree = new NameTree<SimFile>(
      disk.root,
      () => disk.newInode(),
      (changes) => disk.changed(changes),
    );
    this.#power = new Power((operation, path) => this.onOperation?.(operation, path));
    this.otherReads = new SimReads((path) => {
      this.#power.check();
      return this.#tree.file('open', path);
    }, this.#power);
  }

  /** Operations so far, in all and those that make something durable. */
  get operations(): number {
    return this.#power.operations;
  }

  get syncs(): number {
    return this.#power.syncs;
  }

  get stopped(): boolean {
    return this.#power.off;
  }

  /** Changes of names that are not durable yet. */
  get pendingNames(): number {
    return this.#disk.pendingNames;
  }

  /** Turns the machine off; `crash` then says what is left. */
  stop(): void {
    this.#power.off = true;
  }

  /** Power loss. Ends this life; may be called again for another outcome of the same moment. */
  crash(random: Random, options: CrashOptions = {}): SimFs {
    if (this.#power.handedOver) throw internal('the disk of this life was handed over by crashProcess');
    this.stop();
    return new SimFs(this.#disk.afterCrash(random, options));
  }

  /** SIGKILL of the process. Ends this life; what was not synced lives on and can still be lost by a later `crash`. */
  crashProcess(): SimFs {
    if (this.#power.handedOver) throw internal('the disk of this life was handed over by crashProcess');
    this.stop();
    this.#power.handedOver = true;
    return new SimFs(this.#disk);
  }

  open(path: string, mode: OpenMode): FileHandle {
    this.#power.check();
    if (mode !== 'create')
      return new SimHandle(path, this.#tree.file('open', path), mode !== 'read', this.#power);
    this.#power.before('create', path);
    const file = new SimFile(this.#disk.newInode());
    this.#tree.add('open', path, file);
    return new SimHandle(path, file, true, this.#power);
  }

  status(path: string): FileStatus | undefined {
    this.#power.check();
    const node = this.#tree.find(path);
    if (node === undefined) return undefined;
    return node instanceof TreeDirectory
      ? { kind: 'directory', size: 0, inode: node.inode }
      : { kind: 'file', size: node.length, inode: node.inode };
  }

  list(path: string): string[] {
    this.#power.check();
    return [...this.#tree.directory('scandir', path).entries.keys()].sort();
  }

  makeDirectory(path: string): void {
    this.#power.before('makeDirectory', path);
    this.#tree.makeDirectory(path);
  }

  remove(path: string): void {
    this.#power.before('remove', path);
    this.#tree.remove(path);
  }

  removeDirectory(path: string): void {
    this.#power.before('removeDirectory', path);
    this.#tree.removeDirectory(path);
  }

  rename(from: string, to: string): void {
    this.#power.before('rename', from);
    this.#tree.rename(from, to);
  }

  link(from: string, to: string): void {
    this.#power.before('link', from);
    this.#tree.link(from, to);
  }

  syncDirectory(path: string): void {
    this.#power.before('syncDirectory', path);
    this.#disk.syncDirectory(this.#tree.directory('fsync', path));
  }

  async lock(directory: string): Promise<DirectoryLock> {
    this.#power.check();
    this.#tree.directory('lock', directory);
    const holder = { pid: process.pid };
    const release = claim(this.#locks, partsOf(directory).join('/'), directory, holder);
    return { release: async () => release() };
  }
}
