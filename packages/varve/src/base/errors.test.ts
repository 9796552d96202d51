import { describe, expect, test } from 'vitest';
import { assert } from './assert.ts';
import { busy, closed, corruption, internal, invalid, ioError, systemCode, VarveError } from './errors.ts';
import {
  isReadableKind,
  kindName,
  KIND_DELETE,
  KIND_MERGE,
  KIND_PUT,
  KIND_PUT_EXPIRY,
  KIND_RANGE_DELETE,
} from './kinds.ts';

const enoent = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' });

describe('errors', () => {
  test('each helper makes its kind, with code, message, context and cause', () => {
    const cause = new Error('below');
    const made = [
      invalid('KEY_TOO_LARGE', 'key has 70000 bytes', { bytes: 70_000 }, cause),
      corruption('bad checksum', { file: 'a', offset: 1 }, cause),
      busy('LOCKED', 'in use', { holder: {} }, cause),
    ];
    expect(made.map(({ kind, code }) => `${kind} ${code}`)).toEqual([
      'invalid KEY_TOO_LARGE',
      'corruption CORRUPTION',
      'busy LOCKED',
    ]);
    for (const error of made) {
      expect(error).toBeInstanceOf(VarveError);
      expect(error).toBeInstanceOf(Error);
      expect(error.name).toBe('VarveError');
      expect(error.cause).toBe(cause);
    }
    expect(made[0]!.message).toBe('key has 70000 bytes');
    expect(made[0]!.context).toEqual({ bytes: 70_000 });
    expect(closed('the database')).toMatchObject({
      kind: 'closed',
      code: 'CLOSED',
      message: 'the database is closed',
      context: {},
    });
    expect(internal('impossible')).toMatchObject({ kind: 'internal', code: 'INTERNAL' });
    expect('cause' in invalid('X', 'x')).toBe(false);
  });

  test('a system error keeps its code, its path and its cause', () => {
    const error = ioError('open', '/db/LOCK', enoent);
    expect(error).toMatchObject({
      kind: 'io',
      code: 'IO_ERROR',
      message: 'open failed on /db/LOCK (ENOENT)',
      context: { operation: 'open', file: '/db/LOCK', system: 'ENOENT' },
      cause: enoent,
    });
    expect(ioError('open', '/db', 'no error object').message).toBe('open failed on /db');
  });

  test('the code of the system is found plain and wrapped, and nowhere else', () => {
    expect(systemCode(enoent)).toBe('ENOENT');
    expect(systemCode(ioError('open', '/db', enoent))).toBe('ENOENT');
    expect(systemCode(ioError('open', '/db', ioError('read', '/db', enoent)))).toBe('ENOENT');
    expect(systemCode(invalid('KEY_TOO_LARGE', 'x'))).toBe('');
    for (const other of [undefined, null, 'ENOENT', 5, {}, new Error('x'), { code: 7 }])
      expect(systemCode(other)).toBe('');
  });

  test('an assertion that fails is an internal error', () => {
    assert(true, 'fine');
    expect(() => assert(false, 'broken promise')).toThrow(
      expect.objectContaining({ kind: 'internal', message: 'broken promise' }),
    );
  });
});

describe('kinds', () => {
  test('have names, known or not', () => {
    expect([0, 1, 2, 3, 4, 5, 6].map(kindName)).toEqual([
      'delete',
      'put',
      'merge',
      'put-expiry',
      'blob',
      'range-delete',
      'unknown(6)',
    ]);
  });

  test('this release reads put, delete, range delete, merge and put with expiry', () => {
    expect(
      [KIND_DELETE, KIND_PUT, KIND_MERGE, KIND_PUT_EXPIRY, KIND_RANGE_DELETE].every(isReadableKind),
    ).toBe(true);
    expect([4, 6, 255].some(isReadableKind)).toBe(false);
  });
});
