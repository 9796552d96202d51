/**
 * Writes to a shared database (packages/varve/src/engine/commit-pipeline.ts, sharing/thread-access.ts, redo.ts, wal/shared-tail.ts):
 * under the lock a record goes into the log's buffer, the tail names it, the batch is applied, and its sequence is published.
 * A reader that sees a sequence finds every batch up to it. Of a writer that dies, the batch is whole or was never there.
 */
import { intactRecordLength, loadSequence, VISIBLE } from 'varve/internals';
import { must } from './control.check.ts';
import { type Instance, instance, type ModelThread, thread } from './instance.ts';
import { look, makeDatabase, openSession, put, type Session, type SharedDatabase } from './session.check.ts';

type SessionThread = ModelThread<SharedDatabase, never>;

function writer(keys: string, mayDie = false): SessionThread {
  return thread<SharedDatabase, Session>({
    name: `writer of ${keys}`,
    mayDie,
    prepare: (shared, self) => openSession(shared, self.index),
    run: (_, __, session) => keys.split('').map((key) => [put(session, key), key] as const),
  });
}

/** Looks twice. What it has seen it sees again, and never more keys than sequences or fewer. */
function reader(keys: string): SessionThread {
  return thread<SharedDatabase, Session>({
    name: 'reader',
    prepare: (shared, self) => openSession(shared, self.index),
    run(_, __, session) {
      let before: readonly [number, string] = [0, ''];
      for (let i = 0; i < 2; i++) {
        const now = look(session, keys.split(''));
        must(now[1].length === now[0], () => `a reader at ${now[0]} finds '${now[1]}'`);
        must(
          now[0] >= before[0] && before[1].split('').every((key) => now[1].includes(key)),
          () => `a reader found '${now[1]}' at ${now[0]} after '${before[1]}' at ${before[0]}`,
        );
        before = now;
      }
    },
  });
}

/** Writes when the first writer has died: what that one had begun is completed or gone then. */
const heir: SessionThread = thread<SharedDatabase, Session>({
  name: 'heir',
  isDaemon: true,
  prepare: (shared, self) => openSession(shared, self.index),
  run(_, self, session) {
    self.untilDead(0);
    const sequence = put(session, 'z');
    const [visible, found] = look(session, ['a', 'b', 'z']);
    must(visible === sequence && found.length === sequence, () => `at ${visible} there is '${found}'`);
    expectLog(session, sequence);
  },
});

/** Every sequence has one intact record in the log's buffer. */
function expectLog({ log }: Session, sequence: number): void {
  const { tail } = log;
  const view = new DataView(log.writer.buffer.share());
  must(tail.lastSequence === sequence, () => `the log ends at ${tail.lastSequence}, not ${sequence}`);
  let at = 0;
  for (let next = 1; next <= sequence; next++) {
    const length = intactRecordLength(view, at, tail.used);
    must(length > 0, () => `there is no intact record at ${at}`);
    must(view.getUint32(at + 20, true) === next, () => `the record at ${at} is not that of ${next}`);
    at += length;
  }
  must(at === tail.used, () => 'there is more in the log than what was written');
}

function commits(name: string, threads: readonly SessionThread[], keys: string): Instance {
  return instance<SharedDatabase>({
    name,
    setup: makeDatabase,
    threads,
    finish({ results, dead }, shared) {
      if (dead.includes(true)) return;
      const written = results.flat().filter((each) => each !== undefined) as [number, string][];
      const visible = loadSequence(new Int32Array(shared.control), VISIBLE);
      must(visible === written.length, () => `${written.length} batches, but ${visible} sequences`);
      const session = openSession(shared, threads.length);
      const found = look(session, keys.split(''))[1];
      must(found.length === written.length, () => `of '${keys}' there is '${found}'`);
      expectLog(session, visible);
    },
  });
}

export const commitInstances: readonly Instance[] = [
  commits('commit: a reader beside a writer', [writer('a'), reader('a')], 'a'),
  commits('commit: a writer dies', [writer('a', true), heir], 'a'),
  commits('commit: two writers', [writer('a'), writer('b')], 'ab'),
];

export const commitDeepInstances: readonly Instance[] = [
  commits('commit: a reader beside two batches', [writer('ab'), reader('ab')], 'ab'),
  commits(
    'commit: a writer dies in its second batch, beside a reader',
    [writer('ab', true), heir, reader('abz')],
    'ab',
  ),
  commits('commit: two writers and a reader', [writer('a'), writer('b'), reader('ab')], 'ab'),
  commits('commit: one of two writers dies', [writer('a', true), writer('b'), heir], 'ab'),
];
