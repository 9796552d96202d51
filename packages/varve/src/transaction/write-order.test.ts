import { expect, test } from 'vitest';
import { compareBytes } from '../base/bytes.ts';
import { KIND_DELETE, KIND_MERGE, KIND_PUT, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { operandList } from '../base/operands.ts';
import { WriteSet, type WriteMark } from './write-set.ts';

const keyOf = (number: number): Uint8Array => new TextEncoder().encode(String(number).padStart(3, '0'));

/** By looking at every key. */
function expected(writes: WriteSet, keyspace: number, lower: number, upper: number): number[] {
  const order: number[] = [];
  for (let number = lower; number < upper; number++) {
    const operation = writes.find(keyspace, keyOf(number));
    if (operation >= 0 && writes.kindOf(operation) !== KIND_RANGE_DELETE) order.push(operation);
  }
  return order;
}

test('ranges show the newest operation of each key in order, however writes, walks and savepoints follow each other', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const writes = new WriteSet();
    const keys = 5 + random.below(120);
    const marks: WriteMark[] = [];
    for (let step = 0; step < 400; step++) {
      const keyspace = 1 + random.below(2);
      const at = random.below(keys);
      const what = random.below(20);
      if (what < 9) writes.add(KIND_PUT, keyspace, keyOf(at), new Uint8Array(random.below(9)));
      else if (what < 12) writes.add(KIND_DELETE, keyspace, keyOf(at), new Uint8Array(0));
      else if (what < 14) writes.add(KIND_MERGE, keyspace, keyOf(at), operandList(keyOf(step)));
      else if (what === 14) {
        writes.add(
          KIND_RANGE_DELETE,
          keyspace,
          keyOf(at),
          keyOf(at + random.below(random.oneIn(3) ? keys : 4)),
        );
      } else if (what === 15) marks.push(writes.mark());
      else if (what === 16 && marks.length > 0 && random.oneIn(3)) writes.rewind(marks.pop()!);
      else if (what === 17 && random.oneIn(30)) {
        writes.clear();
        marks.length = 0;
      } else {
        const lower = random.below(keys);
        const upper = lower + random.below(keys);
        const { order, key } = writes.overlay(keyspace, keyOf(lower), keyOf(upper));
        expect(order).toEqual(expected(writes, keyspace, lower, upper));
        for (let i = 1; i < order.length; i++) {
          expect(compareBytes(key(order[i - 1]!), key(order[i]!))).toBeLessThan(0);
        }
      }
      // Marks of what was undone are gone.
      while (marks.length > 0 && marks.at(-1)!.operations > writes.count) marks.pop();
    }
    for (const keyspace of [1, 2]) {
      expect(writes.overlay(keyspace, undefined, undefined).order).toEqual(
        expected(writes, keyspace, 0, 1000),
      );
    }
  }
});

test('a range that is being walked keeps what it shows when its operations are undone and others take their place', () => {
  const writes = new WriteSet();
  const mark = writes.mark();
  writes.add(KIND_PUT, 1, keyOf(1), keyOf(100));
  const { order, key, value } = writes.overlay(1, undefined, undefined);
  writes.rewind(mark);
  writes.add(KIND_DELETE, 1, keyOf(7), new Uint8Array(0));
  expect([key(order[0]!), value(order[0]!)]).toEqual([keyOf(1), keyOf(100)]);
});
