/**
 * Memtables of a shared database that come and go (packages/varve/src/engine/sharing/shared-views.ts, thread-access.ts, epochs.ts):
 * the owner rotates one and gives its memory back, a writer begins another in that memory, and a reader beside them sees
 * whole views and never memory that was given back.
 *
 * A memtable that is given back without a flush is gone: the reader finds its keys, or those of the one behind it.
 */
import { isPast, PointResult, retire } from 'varve/internals';
import { must } from './control.check.ts';
import { type Instance, instance, type ModelThread, thread } from './instance.ts';
import { makeDatabase, openSession, put, type Session, type SharedDatabase } from './session.check.ts';

type SessionThread = ModelThread<SharedDatabase, never>;

interface Retired {
  readonly stamp: number;
  readonly free: () => void;
}

/** Puts what the first memtable holds; then rotates it, cuts it off and gives it back once nobody can be reading it. */
function owner(next: string): SessionThread {
  return thread<SharedDatabase, { session: Session; retired: Retired[] }>({
    name: 'owner',
    prepare(shared, self) {
      const retired: Retired[] = [];
      const session = openSession(shared, self.index, (words, free) => {
        retired.push({ stamp: retire(words), free });
      });
      put(session, 'a');
      return { session, retired };
    },
    run(_, __, { session, retired }) {
      const { tree } = session;
      tree.rotate();
      // As after a flush, but that there is no table.
      tree.installFlush(1, tree.view.version);
      for (const { stamp, free } of retired) {
        while (!isPast(session.words, stamp));
        free();
      }
      for (const key of next) put(session, key);
    },
  });
}

/** In one operation looks twice for the same key: what is there stays, and is what was put. */
function reader(key: string): SessionThread {
  return thread<SharedDatabase, Session>({
    name: 'reader',
    prepare: (shared, self) => openSession(shared, self.index),
    run(_, __, { access, state, tree }) {
      const bytes = new TextEncoder().encode(key);
      const out = new PointResult();
      access.enter();
      const { visible } = state;
      const { memtable, immutables } = tree.view;
      const all = memtable === undefined ? immutables : [memtable, ...immutables];
      must(all.length <= 1, () => `a view of ${all.length} memtables`);
      const seen = [1, 2].map(() => {
        const isThere = all.some((each) => each.get(bytes, 0, 1, visible, out));
        if (isThere)
          must(out.value[out.valueStart] === bytes[0], () => `'${key}' has the value of another key`);
        return isThere;
      });
      access.leave();
      must(seen[0] === seen[1], () => `'${key}' came or went within an operation`);
    },
  });
}

function views(name: string, next: string, key: string): Instance {
  return instance<SharedDatabase>({
    name,
    // One chunk: the next memtable lies where the last one was.
    setup: (label) => makeDatabase(label, 1),
    threads: [owner(next), reader(key)],
  });
}

export const viewInstances: readonly Instance[] = [
  views('views: a memtable is given back beside a reader', '', 'a'),
  views('views: another memtable takes its memory', 'b', 'a'),
];

export const viewDeepInstances: readonly Instance[] = [
  views('views: what is written next is looked for', 'b', 'b'),
];
