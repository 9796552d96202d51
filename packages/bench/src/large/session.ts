/**
 * What the parts of `large` share while it runs: the options, a way to run a task in a child process, and the filled databases
 * of Varve and db_bench, which are made when a part first asks for them. All lie in a directory that was made for
 * this run and is removed at its end.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { askChild } from '../child-process.ts';
import { claimDirectory } from '../own-directory.ts';
import type { LargeOptions } from './options.ts';
import type { Rocks, RocksFilled } from './rocks.ts';
import type { Filled, Results, Sizes, TaskName } from './tasks/results.ts';

/** The fills of one round. */
export interface Fills {
  readonly varve: Filled;
  readonly rocks: RocksFilled | undefined;
}

export class Session {
  readonly options: LargeOptions;
  readonly rocks: Rocks;
  readonly signal: AbortSignal;
  readonly #say: (line: string) => void;
  readonly #root: string;
  #fills: Promise<readonly Fills[]> | undefined;

  constructor(options: LargeOptions, rocks: Rocks, signal: AbortSignal, say: (line: string) => void) {
    this.options = options;
    this.rocks = rocks;
    this.signal = signal;
    this.#say = say;
    claimDirectory(options.db, 'bench-large');
    this.#root = mkdtempSync(join(options.db, 'run-'));
  }

  get sizes(): Sizes {
    return this.options.sizes;
  }

  /** Where Varve's filled database is, and db_bench's. */
  get varvePath(): string {
    return join(this.#root, 'varve');
  }

  get rocksPath(): string {
    return join(this.#root, 'db_bench');
  }

  say(line: string): void {
    this.#say(line);
  }

  /** The result of a task in a process of its own; `kill`: which is killed as soon as it has answered. */
  async run<Name extends TaskName>(name: Name, path: string, kill = false): Promise<Results[Name]> {
    const args = [name, path, JSON.stringify(this.sizes)];
    const result = await askChild('child', import.meta.url, args, { signal: this.signal, kill });
    // child.ts answers with what it was asked for.
    return result as Results[Name];
  }

  /** Both databases, filled as often as the options say, the order changing; those of the last round stay. */
  filled(): Promise<readonly Fills[]> {
    this.#fills ??= this.#fill();
    return this.#fills;
  }

  async #fill(): Promise<readonly Fills[]> {
    const fills: Fills[] = [];
    for (let round = 0; round < this.options.fills; round++) {
      for (const path of [this.varvePath, this.rocksPath]) this.empty(path);
      const first = round % 2 === 0 ? undefined : await this.#fillRocks();
      this.say(`filling Varve with ${this.sizes.num} entries`);
      const varve = await this.run('fill', this.varvePath);
      fills.push({ varve, rocks: first ?? (await this.#fillRocks()) });
    }
    return fills;
  }

  async #fillRocks(): Promise<RocksFilled | undefined> {
    this.say(`filling db_bench's database with ${this.sizes.num} entries`);
    const filled = await this.rocks.fill(this.rocksPath, this.sizes, this.signal);
    if (filled === undefined) this.say('db_bench is not there');
    return filled;
  }

  /** An empty directory in the place of what is at `path`. */
  empty(path: string): void {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path);
  }

  /** A directory for a part of its own, which it removes. */
  makeDirectory(): string {
    return mkdtempSync(join(this.#root, 'part-'));
  }

  close(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}
