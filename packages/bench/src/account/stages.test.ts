import { expect, test } from 'vitest';
import { sharesOf, stageOf } from './stages.ts';

test('a function counts for the stage of its file', () => {
  expect(stageOf('findSlot', 'file:///x/varve/dist/memtable/btree-search.js')).toBe('memtable');
  expect(stageOf('crc32cOf', 'file:///x/varve/dist/base/crc32c.js')).toBe('checksum');
  expect(stageOf('mayContain', 'file:///x/varve/src/sstable/filter.ts')).toBe('filter');
  expect(stageOf('next', 'file:///x/varve/dist/engine/cursor.js')).toBe('get, cursor, keyspace');
  expect(stageOf('run', 'file:///x/bench/dist/steps.js')).toBe('the bench itself');
  expect(stageOf('writeBuffer', '')).toBe('system calls, runtime');
  expect(stageOf('(garbage collector)', '')).toBe('garbage collection');
});

test('shares are of the time that was not idle, the largest first', () => {
  const node = (id: number, functionName: string, url: string) => ({
    id,
    callFrame: { functionName, url, scriptId: '1', lineNumber: 0, columnNumber: 0 },
  });
  const profile = {
    nodes: [
      node(1, '(idle)', ''),
      node(2, 'add', 'file:///varve/dist/memtable/btree.js'),
      node(3, 'hashKey', 'file:///varve/dist/base/hash.js'),
    ],
    startTime: 0,
    endTime: 100,
    samples: [1, 2, 3, 3, 3],
    timeDeltas: [60, 10, 10, 10, 10],
  };
  expect(sharesOf(profile)).toEqual([
    ['hash of the key', 0.75],
    ['memtable', 0.25],
  ]);
});
