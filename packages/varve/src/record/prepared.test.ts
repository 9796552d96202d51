/** The records of two-phase commit come back as they were written, and anything else is damage by name. */
import { expect, test } from 'vitest';
import { KIND_DELETE, KIND_PUT } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { VarveError } from '../base/errors.ts';
import { BatchBuffer } from './batch.ts';
import {
  decodeDecision,
  decodePrepared,
  encodeDecision,
  encodePrepared,
  type LockedKeys,
} from './prepared.ts';

const where = { file: 'log', offset: 7 };
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const locks: readonly LockedKeys[] = [
  { keyspaceId: 1, from: text('a'), to: 'key' },
  { keyspaceId: 300, from: text(''), to: undefined },
  { keyspaceId: 2, from: text('b'), to: text('c') },
];

function batch(): Uint8Array {
  const buffer = new BatchBuffer();
  buffer.add(KIND_PUT, 1, text('a'), text('value'));
  buffer.add(KIND_DELETE, 2, text('b'), new Uint8Array(0));
  return buffer.bytes.slice(0, buffer.length);
}

test('a prepared transaction with its locks, also from the middle of other bytes', () => {
  const record = { id: 'transfer ü', time: 1_790_000_000_000, locks, batch: batch() };
  const bytes = encodePrepared(record);
  const framed = new Uint8Array(bytes.length + 20).fill(9);
  framed.set(bytes, 11);
  expect(decodePrepared(framed, 11, 11 + bytes.length, where)).toEqual(record);
});

test('both decisions, with the place of the batch', () => {
  const head = encodeDecision('one', true);
  expect(decodeDecision(head, 0, head.length, where)).toEqual({ id: 'one', batchStart: head.length });
  const back = encodeDecision('one', false);
  expect(decodeDecision(back, 0, back.length, where)).toEqual({ id: 'one', batchStart: undefined });
});

test('cut or changed bytes are damage with file and offset, or read as something of the same form', () => {
  const bytes = encodePrepared({ id: 'one', time: 0, locks, batch: batch() });
  const decision = encodeDecision('one', true);
  const random = new Random(5);
  const attempt = (decode: () => unknown): void => {
    try {
      decode();
    } catch (error) {
      expect(error).toBeInstanceOf(VarveError);
      expect(['corruption', 'invalid']).toContain((error as VarveError).kind);
      expect((error as VarveError).context['file']).toBe('log');
    }
  };
  for (let end = 0; end < bytes.length; end++) {
    expect(() => decodePrepared(bytes, 0, end, where)).toThrow(
      expect.objectContaining({ kind: 'corruption', context: expect.objectContaining({ offset: 7 }) }),
    );
  }
  for (let round = 0; round < 2000; round++) {
    const damaged = bytes.slice();
    damaged[random.below(damaged.length)] = random.below(256);
    attempt(() => decodePrepared(damaged, 0, damaged.length, where));
    const other = decision.slice();
    other[random.below(other.length)] = random.below(256);
    attempt(() => decodeDecision(other, 0, other.length, where));
  }
});
