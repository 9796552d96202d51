/** A thread that attaches a database, uses its keyspace, and tries to bring a picker of its own; sends what came of it. */
import { parentPort, workerData } from 'node:worker_threads';
import { attach, type CompactionPicker, utf8, VarveError } from 'varve';

const codeOf = (act: () => unknown): string => {
  try {
    act();
    return 'none';
  } catch (error) {
    return error instanceof VarveError ? `${error.kind} ${error.code} ${error.message}` : String(error);
  }
};

const db = await attach(workerData);
const data = db.keyspace('data', { key: utf8, value: utf8 });
const before = data.get('a');
data.put('b', 'from the thread');
const picker: CompactionPicker = { name: 'mine', pick: () => undefined };
const answers = {
  before,
  after: data.get('b'),
  created: codeOf(() => db.keyspace('new', { key: utf8, value: utf8 })),
  withSettings: codeOf(() => db.keyspace('data', { key: utf8, value: utf8, blockBytes: 8192 })),
  picker: codeOf(() => db.keyspace('data', { key: utf8, value: utf8, compaction: { strategy: picker } })),
  newWithPicker: codeOf(() =>
    db.keyspace('third', { key: utf8, value: utf8, compaction: { strategy: picker } }),
  ),
  function: codeOf(() => db.keyspace('third', { blockBytes: (() => 1) as never })),
  strategy: db.levels().keyspaces['data']!.strategy,
};
await db.close();
parentPort!.postMessage(answers);
