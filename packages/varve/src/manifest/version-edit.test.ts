import { describe, expect, test } from 'vitest';
import { VarveError } from '../base/errors.ts';
import { Random } from '../base/random.ts';
import { FieldWriter } from './fields.ts';
import { fullEdit, sampleFile } from './samples.suite.ts';
import { decodeEdit, encodeEdit, type VersionEdit } from './version-edit.ts';

const place = { file: '/db/MANIFEST-000001', offset: 77 };
const decode = (bytes: Uint8Array): VersionEdit => decodeEdit(bytes, 0, bytes.length, place);

/** One raw field. */
function field(tag: number, fill: (payload: FieldWriter) => FieldWriter): Uint8Array {
  return new FieldWriter().varint(tag).blob(fill(new FieldWriter()).finish()).finish();
}

function thrownBy(action: () => unknown): VarveError {
  try {
    action();
  } catch (error) {
    if (error instanceof VarveError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a version edit', () => {
  test('with every field comes back as it was', () => {
    expect(decode(encodeEdit(fullEdit()))).toEqual(fullEdit());
  });

  test('with any single field comes back as it was', () => {
    for (const [name, value] of Object.entries(fullEdit())) {
      const edit = { [name]: value } as VersionEdit;
      expect(decode(encodeEdit(edit))).toEqual(edit);
    }
  });

  test('without fields takes no bytes', () => {
    expect(encodeEdit({}).length).toBe(0);
    expect(decode(new Uint8Array(0))).toEqual({});
  });

  test('has the bytes that its table promises', () => {
    const edit: VersionEdit = {
      logSegment: 300,
      syncedPosition: { segment: 2, offset: 128 },
      keyspacesDropped: [9],
    };
    expect([...encodeEdit(edit)]).toEqual([7, 2, 0xac, 2, 8, 3, 2, 0x80, 1, 12, 1, 9]);
  });

  test('is read inside a larger array without touching its neighbours', () => {
    const body = encodeEdit(fullEdit());
    const around = new Uint8Array(body.length + 20).fill(0xff);
    around.set(body, 10);
    expect(decodeEdit(around, 10, 10 + body.length, place)).toEqual(fullEdit());
  });
});

describe('damaged edits', () => {
  test('cut anywhere are refused or are the fields up to the cut', () => {
    const whole = encodeEdit(fullEdit());
    let refused = 0;
    for (let length = 0; length < whole.length; length++) {
      try {
        const edit = decode(whole.slice(0, length));
        // Fields of a list may be fewer, but nothing is made up.
        expect(fullEdit()).toMatchObject(dropLists(edit));
      } catch (error) {
        expect(error).toMatchObject({ code: 'CORRUPTION', context: place });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(whole.length * 0.8);
  });

  test('with changed bytes never do worse than a typed error', () => {
    const random = new Random(71);
    const whole = encodeEdit(fullEdit());
    for (let round = 0; round < 3000; round++) {
      const bytes = whole.slice();
      for (let flips = 1 + random.below(3); flips > 0; flips--)
        bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      try {
        decode(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(VarveError);
        expect(['CORRUPTION', 'UNSUPPORTED_MANIFEST']).toContain((error as VarveError).code);
      }
    }
  });

  test('name what is wrong and where', () => {
    const twice = new FieldWriter()
      .raw(encodeEdit({ incarnation: 1 }))
      .raw(encodeEdit({ incarnation: 2 }))
      .finish();
    const cases: [Uint8Array, RegExp][] = [
      [twice, /tag 3 is there twice/],
      [field(13, (payload) => payload.varint(1).varint(7).varint(1)), /level 7 is past the last one, 6/],
      [field(4, (payload) => payload.varint(1).varint(1)), /bytes follow the end of the field with tag 4/],
      [field(17, (payload) => payload.f64(Number.NaN).varint(1)), /a time mark is not a time/],
      [
        field(11, (payload) => payload.varint(1).varint(1).blob(Uint8Array.of(0xff))),
        /the name of a keyspace is not UTF-8/,
      ],
      [
        encodeEdit({ addedFiles: [{ keyspace: 1, level: 0, file: sampleFile(3, 'b', 'a') }] }),
        /smallest key is above/,
      ],
      [
        encodeEdit({
          addedFiles: [{ keyspace: 1, level: 0, file: sampleFile(3, 'a', 'a', { largestExclusive: true }) }],
        }),
        /file 3: its smallest key is above its largest/,
      ],
      [
        encodeEdit({
          addedFiles: [{ keyspace: 1, level: 0, file: sampleFile(3, 'a', 'a', { largestSequence: 1 }) }],
        }),
        /smallest sequence is above/,
      ],
      [
        Uint8Array.of(...encodeEdit({ storedTime: 1 }), ...encodeEdit({ storedTime: 2 })),
        /the field with tag 18 is there twice/,
      ],
      [
        encodeEdit({
          addedFiles: [
            {
              keyspace: 1,
              level: 0,
              file: sampleFile(3, 'a', 'a', {
                expiry: { expiring: 11, earliestExpiry: 1, latestExpiry: 1 },
              }),
            },
          ],
        }),
        /file 3: it has more entries that expire than puts/,
      ],
      [
        encodeEdit({
          addedFiles: [
            {
              keyspace: 1,
              level: 0,
              file: sampleFile(3, 'a', 'a', { expiry: { expiring: 1, earliestExpiry: 2, latestExpiry: 1 } }),
            },
          ],
        }),
        /file 3: its earliest expiry is after its latest/,
      ],
    ];
    for (const [bytes, message] of cases) {
      const error = thrownBy(() => decode(bytes));
      expect(error.message).toMatch(message);
      expect(error).toMatchObject({ kind: 'corruption', context: place });
    }
  });
});

describe('what a later release wrote', () => {
  test('is refused by name', () => {
    const laterFile = field(14, (payload) => payload.varint(1).varint(0).varint(128));
    const cases: [Uint8Array, RegExp][] = [
      [field(99, (payload) => payload.varint(1)), /the field 99/],
      [encodeEdit({ formatVersion: 2 }), /format 2/],
      [encodeEdit({ comparator: 'reverse' }), /key order 'reverse'/],
      [laterFile, /flags 128/],
    ];
    for (const [bytes, message] of cases) {
      const error = thrownBy(() => decode(bytes));
      expect(error.message).toMatch(message);
      expect(error).toMatchObject({ kind: 'invalid', code: 'UNSUPPORTED_MANIFEST', context: place });
    }
  });
});

/** Lists may end early in a cut edit; the other fields are there whole or not at all. */
function dropLists(edit: VersionEdit): VersionEdit {
  return Object.fromEntries(Object.entries(edit).filter(([, value]) => !Array.isArray(value)));
}
