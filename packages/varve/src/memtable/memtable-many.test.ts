/** Both memtables pass the suite of many keys. */
import { memtableManySuite } from './memtable-many.suite.ts';
import { attachMemtable, makeMemtable } from './memtable.ts';

memtableManySuite('a B+tree', (pool) => makeMemtable('btree', pool), attachMemtable);
memtableManySuite('a skiplist', (pool) => makeMemtable('skiplist', pool), attachMemtable);
