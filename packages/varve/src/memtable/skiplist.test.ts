/** The skiplist passes the suites of memtables. */
import { memtableWorkerSuite } from './memtable-worker.suite.ts';
import { attachMemtable, makeMemtable } from './memtable.ts';
import { memtableSuite } from './memtable.suite.ts';

memtableSuite('a skiplist', (pool) => makeMemtable('skiplist', pool), attachMemtable);
memtableWorkerSuite('a skiplist', (pool) => makeMemtable('skiplist', pool));
