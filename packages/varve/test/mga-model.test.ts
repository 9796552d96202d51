/**
 * An index against a model: random transactions that put, remove, read and scan side by side, with flushes, compactions, vacuums,
 * reindexes and reopens in between. The model is a list of lives that nobody ever prunes; visibility is written down once more here.
 */
import { type Database, open, utf8 } from 'varve';
import { type MgaIndex, openInventory, openMgaIndex, type TransactionInventory, type XidState } from 'varve/mga';
import { MemoryFs, Random } from 'varve/testing';
import { expect, test } from 'vitest';
import { refusal } from './refusal.ts';

interface Life {
  readonly key: string;
  readonly tid: number;
  readonly xmin: number;
  xmax: number;
  readonly payload: string;
}

const KEYS = ['', 'a', 'a\0', 'a\0\0', 'ab', 'b', 'zz'];

class Model {
  lives: Life[] = [];
  readonly states = new Map<number, XidState>();

  #committed(xid: number): boolean {
    return this.states.get(xid) === 'committed';
  }

  sees({ xmin, xmax }: Life, xid: number): boolean {
    const isBorn = xmin === xid || (xmin < xid && this.#committed(xmin));
    return isBorn && !(xmax !== 0 && (xmax === xid || (xmax < xid && this.#committed(xmax))));
  }

  scan(xid: number): string[] {
    return this.lives
      .filter((life) => this.sees(life, xid))
      .toSorted((a, b) => (a.key === b.key ? a.tid - b.tid : a.key < b.key ? -1 : 1))
      .map(({ key, tid, payload }) => `${JSON.stringify(key)} ${tid} ${payload}`);
  }

  end(xid: number, state: XidState): void {
    this.states.set(xid, state);
    if (state !== 'aborted') return;
    this.lives = this.lives.filter(({ xmin }) => xmin !== xid);
    for (const life of this.lives) if (life.xmax === xid) life.xmax = 0;
  }

  #newest(key: string, tid: number): Life | undefined {
    return this.lives.filter((life) => life.key === key && life.tid === tid).at(-1);
  }

  /** The code that a put is refused with, if it is. */
  put(key: string, tid: number, xid: number, payload: string): string | undefined {
    const newest = this.#newest(key, tid);
    const fresh = { key, tid, xmin: xid, xmax: 0, payload };
    if (newest !== undefined) {
      const isBorn = newest.xmin === xid || (newest.xmin < xid && this.#committed(newest.xmin));
      if (!isBorn) return 'ENTRY_CONFLICT';
      if (newest.xmax !== 0 && newest.xmax !== xid) {
        if (newest.xmax > xid || !this.#committed(newest.xmax)) return 'ENTRY_CONFLICT';
      } else if (newest.payload === payload) {
        newest.xmax = 0;
        return undefined;
      } else if (newest.xmin === xid) {
        this.lives = this.lives.filter((life) => life !== newest);
      } else newest.xmax = xid;
    }
    this.lives.push(fresh);
    return undefined;
  }

  remove(key: string, tid: number, xid: number): string | undefined {
    const born = this.lives.filter(
      (life) =>
        life.key === key &&
        life.tid === tid &&
        (life.xmin === xid || (life.xmin < xid && this.#committed(life.xmin))),
    );
    const life = born.at(-1);
    if (life === undefined) return 'ENTRY_NOT_FOUND';
    if (life.xmax !== 0) {
      const isGone = life.xmax === xid || (life.xmax < xid && this.#committed(life.xmax));
      return isGone ? 'ENTRY_NOT_FOUND' : 'ENTRY_CONFLICT';
    }
    if (life.xmin === xid) this.lives = this.lives.filter((each) => each !== life);
    else life.xmax = xid;
    return undefined;
  }

  reopen(): void {
    for (const [xid, state] of this.states) if (state === 'active') this.end(xid, 'aborted');
  }
}

class Run {
  readonly #random: Random;
  readonly #model = new Model();
  readonly #fileSystem = new MemoryFs();
  #db!: Database;
  #inventory!: TransactionInventory;
  #index!: MgaIndex<string>;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  async #open(): Promise<void> {
    this.#db = await open('/db', {
      fileSystem: this.#fileSystem,
      keyspaceDefaults: { memtableBytes: 65_536 },
      memtableBytesMax: 1 << 20,
    });
    this.#inventory = await openInventory(this.#db, { slots: 1024 });
    this.#index = await openMgaIndex(this.#db, 'i', { key: utf8, inventory: this.#inventory });
  }

  #active(): number[] {
    return [...this.#model.states].filter(([, state]) => state === 'active').map(([xid]) => xid);
  }

  async run(steps: number): Promise<void> {
    await this.#open();
    for (let step = 0; step < steps; step++) await this.#step();
    await this.#check();
    for (const xid of this.#active()) this.#end(xid, 'committed');
    const report = await this.#index.vacuum();
    expect(report.base).toBe(this.#inventory.next);
    await this.#check();
    // Nothing is left but what a later transaction sees.
    const reader = this.#begin();
    const stored = this.#db.keyspace(this.#db.keyspaces().find((name) => name.startsWith('varve.mga/'))!);
    const rows = this.#model.scan(reader).length;
    const heads = new Set(this.#model.lives.filter((life) => this.#model.sees(life, reader)).map(({ key }) => key));
    expect(stored.count()).toBeGreaterThanOrEqual(rows);
    expect(stored.count()).toBeLessThanOrEqual(rows + heads.size);
    expect((await this.#db.verify({ full: true })).problems).toEqual([]);
    await this.#db.close();
  }

  #begin(): number {
    const xid = this.#inventory.begin();
    this.#model.states.set(xid, 'active');
    return xid;
  }

  #end(xid: number, state: 'committed' | 'aborted'): void {
    if (state === 'committed') this.#inventory.commit(xid);
    else this.#inventory.abort(xid);
    this.#model.end(xid, state);
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const active = this.#active();
    if (active.length < 2 || (active.length < 6 && random.oneIn(8))) {
      this.#begin();
      return;
    }
    const xid = random.pick(active);
    const what = random.below(100);
    if (what < 50) await this.#put(xid);
    else if (what < 75) await this.#remove(xid);
    else if (what < 83) this.#end(xid, 'committed');
    else if (what < 87) this.#end(xid, 'aborted');
    else if (what < 94) await this.#check();
    else if (what < 96) await this.#db.flush();
    else if (what < 97) await this.#db.compact();
    else if (what < 98) await this.#index.vacuum();
    else if (what < 99) await this.#dead();
    else await this.#other();
  }

  async #other(): Promise<void> {
    if (this.#random.oneIn(2)) {
      await this.#db.close();
      this.#model.reopen();
      await this.#open();
      return;
    }
    const source = this.#model.lives.map(({ key, tid, xmin, xmax, payload }) => ({
      key,
      tid,
      xmin,
      xmax,
      payload: utf8.encode(payload),
    }));
    expect(await this.#index.reindex(source)).toEqual({ entries: source.length });
  }

  async #put(xid: number): Promise<void> {
    const key = this.#random.pick(KEYS);
    const tid = this.#random.below(5);
    const payload = this.#random.pick(['', 'x', 'y']);
    await this.#agree(this.#model.put(key, tid, xid, payload), () =>
      this.#index.put(key, tid, xid, utf8.encode(payload)),
    );
  }

  async #remove(xid: number): Promise<void> {
    const key = this.#random.pick(KEYS);
    const tid = this.#random.below(5);
    await this.#agree(this.#model.remove(key, tid, xid), () => this.#index.remove(key, tid, xid));
  }

  async #agree(code: string | undefined, act: () => void): Promise<void> {
    if (code === undefined) act();
    else expect((await refusal(act)).code).toBe(code);
  }

  async #dead(): Promise<void> {
    const tid = this.#random.below(5);
    await this.#index.removeDeadEntries([tid]);
    this.#model.lives = this.#model.lives.filter((life) => life.tid !== tid);
  }

  async #check(): Promise<void> {
    for (const xid of this.#active()) {
      const expected = this.#model.scan(xid);
      const show = ({ key, tid, payload }: { key: string; tid: number | bigint; payload: Uint8Array }): string =>
        `${JSON.stringify(key)} ${tid} ${utf8.decode(payload)}`;
      expect([...this.#index.rangeScan({}, xid)].map(show)).toEqual(expected);
      expect([...this.#index.rangeScan({ reverse: true }, xid)].map(show)).toEqual(expected.toReversed());
      const later: string[] = [];
      for await (const entry of this.#index.rangeScan({ reverse: this.#random.oneIn(2) }, xid)) later.push(show(entry));
      expect(later.toSorted()).toEqual(expected.toSorted());
      const key = this.#random.pick(KEYS);
      const ofKey = expected.filter((each) => each.startsWith(`${JSON.stringify(key)} `));
      expect(this.#index.entries(key, xid).map(show)).toEqual(ofKey);
      expect(this.#index.get(key, xid).map(String)).toEqual(ofKey.map((each) => each.split(' ')[1]));
    }
  }
}

test.each(Array.from({ length: 12 }, (_, seed) => seed))('agrees with the model, seed %i', async (seed) => {
  await new Run(1000 + seed).run(400);
});
