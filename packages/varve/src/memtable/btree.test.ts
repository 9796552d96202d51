/** The B+tree passes the suites of memtables. */
import { memtableWorkerSuite } from './memtable-worker.suite.ts';
import { attachMemtable, makeMemtable } from './memtable.ts';
import { memtableSuite } from './memtable.suite.ts';

memtableSuite('a B+tree', (pool) => makeMemtable('btree', pool), attachMemtable);
memtableWorkerSuite('a B+tree', (pool) => makeMemtable('btree', pool));
