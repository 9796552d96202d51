/**
 * Memory of a tree's nodes: taken from the memtable's arena in slabs, for nodes to lie close together (a search visits one a
 * level, and few of the entries in between: fewer pages). Slabs grow with the tree, so that a small one stays small.
 *
 * `ready` nodes can be taken without asking the arena: that is how a reservation covers splits. Owner's thread only.
 */
import type { Arena } from '../arena/arena.ts';
import { NODE_BYTES } from './btree-node.ts';

/** What aligning a slab to cache lines costs at most. */
const ALIGN = 64;
const SLAB_NODES_MAX = 128;

interface Slab {
  at: number;
  nodes: number;
}

export class NodeMemory {
  readonly #arena: Arena;
  /** Slabs with nodes left; the last is in use. */
  #slabs: Slab[] = [];
  ready = 0;
  taken = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Bytes that making `nodes` ready takes from the arena. */
  bytesFor(nodes: number): number {
    return nodes <= this.ready ? 0 : (nodes - this.ready) * NODE_BYTES + ALIGN;
  }

  /**
   * Makes `nodes` ready, with memory for `bytes` left in the arena beside them; false when the pool has no room, and then
   * nothing has changed.
   */
  reserve(nodes: number, bytes: number): boolean {
    const arena = this.#arena;
    if (nodes <= this.ready) return arena.reserve(bytes);
    const missing = nodes - this.ready;
    let wanted = Math.max(missing, Math.min(SLAB_NODES_MAX, this.taken >>> 3));
    if (!arena.reserve(bytes + wanted * NODE_BYTES + ALIGN)) {
      wanted = missing;
      if (!arena.reserve(bytes + wanted * NODE_BYTES + ALIGN)) return false;
    }
    this.#addSlab(wanted);
    return true;
  }

  /**
   * Makes `nodes` ready.
   *
   * @throws busy `MEMTABLE_MEMORY` when the pool is exhausted; never within what `reserve` granted
   */
  prepare(nodes: number): void {
    if (nodes > this.ready) this.#addSlab(nodes - this.ready);
  }

  /** Word index of a node that was made ready, with left-over content. */
  take(): number {
    const slab = this.#slabs[this.#slabs.length - 1]!;
    const at = slab.at;
    slab.at = at + NODE_BYTES;
    if (--slab.nodes === 0) this.#slabs.pop();
    this.ready--;
    this.taken++;
    return at >>> 2;
  }

  clear(): void {
    this.#slabs = [];
    this.ready = 0;
    this.taken = 0;
  }

  #addSlab(nodes: number): void {
    const block = this.#arena.allocate(nodes * NODE_BYTES + ALIGN - 8);
    this.#slabs.push({ at: Math.ceil(block / ALIGN) * ALIGN, nodes });
    this.ready += nodes;
  }
}
