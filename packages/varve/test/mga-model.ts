/**
 * What an MGA index shows, by lists: all lives that ever were, none pruned. Visibility and the rules for writers are written down once
 * more here.
 */
import type { XidState } from 'varve/mga';

export interface Life {
  readonly key: string;
  readonly tid: number;
  readonly xmin: number;
  xmax: number;
  readonly payload: string;
}

export const MODEL_KEYS = ['', 'a', 'a\0', 'a\0\0', 'ab', 'b', 'zz'];

export class Model {
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
