import { describe, expect, test } from 'vitest';
import { EXPIRY_BYTES, stampExpiry } from '../base/expiry.ts';
import { KIND_DELETE, KIND_MERGE, KIND_PUT, KIND_PUT_EXPIRY, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { copyOperands, joinLists, operandList } from '../base/operands.ts';
import { Random } from '../base/random.ts';
import { kindFor, mayDrop, NO_NEWER, Readers } from './drop.ts';
import { KeyVersions } from './key-versions.ts';
import { type FoldEnv, foldVersions } from './merge-fold.ts';

/** A version of the only key there is; its value is one letter, a merge appends to what it stands on. */
interface Version {
  sequence: number;
  kind: number;
  value: Uint8Array;
}
interface Tree {
  versions: Version[];
  tombstones: number[];
}

const EXPIRY = 5;
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

function bytesOf(letter: string, kind: number): Uint8Array {
  const bytes = Uint8Array.from(letter, (each) => each.charCodeAt(0));
  if (kind === KIND_MERGE) return operandList(bytes);
  if (kind === KIND_DELETE) return new Uint8Array(0);
  if (kind !== KIND_PUT_EXPIRY) return bytes;
  const stored = new Uint8Array(EXPIRY_BYTES + bytes.length);
  stampExpiry(stored, 0, EXPIRY, 0);
  stored.set(bytes, EXPIRY_BYTES);
  return stored;
}

/** What a reader finds: the slow and plain way. */
function visible(trees: readonly Tree[], sequence: number, time: number): string | undefined {
  const versions = trees
    .flatMap((tree) => tree.versions)
    .filter((version) => version.sequence <= sequence)
    .sort((a, b) => b.sequence - a.sequence);
  const cover = Math.max(0, ...trees.flatMap((tree) => tree.tombstones).filter((each) => each <= sequence));
  let behind = '';
  for (const version of versions) {
    if (version.sequence < cover || version.kind === KIND_DELETE) break;
    if (version.kind === KIND_MERGE) {
      const operands: Uint8Array[] = [];
      copyOperands(version.value, 0, version.value.length, operands);
      behind = operands.map(text).join('') + behind;
      continue;
    }
    if (version.kind !== KIND_PUT_EXPIRY) return text(version.value) + behind;
    if (EXPIRY > time) return text(version.value.subarray(EXPIRY_BYTES)) + behind;
    break;
  }
  return behind === '' ? undefined : behind;
}

const keeping: FoldEnv = { merge: () => undefined, partialMerge: () => undefined, load: () => undefined };
const appending: FoldEnv = {
  ...keeping,
  merge: (_key, existing, operands) =>
    joinLists([...(existing === undefined ? [] : [existing]), ...operands]),
};
const shortening: FoldEnv = { ...keeping, partialMerge: (_key, older, newer) => joinLists([older, newer]) };

/** As a job does it: versions in front of the first merge one by one, the others together. */
function applyRules(inputs: Tree, readers: Readers, nothingBelow: boolean, env: FoldEnv): Tree {
  const coverAt = (sequence: number): number =>
    Math.max(0, ...inputs.tombstones.filter((each) => each <= sequence));
  const outputs: Tree = { versions: [], tombstones: [] };
  let newer = NO_NEWER;
  for (const sequence of inputs.tombstones.toSorted((a, b) => b - a)) {
    if (!mayDrop(readers, KIND_RANGE_DELETE, sequence, newer, 0, nothingBelow))
      outputs.tombstones.push(sequence);
    newer = sequence;
  }
  newer = NO_NEWER;
  const sorted = inputs.versions.toSorted((a, b) => b.sequence - a.sequence);
  for (const [index, version] of sorted.entries()) {
    if (version.kind === KIND_MERGE) {
      const versions = new KeyVersions();
      for (const { sequence, kind, value } of sorted.slice(index)) {
        const places = { keyStart: 0, keyEnd: 0, valueStart: 0, valueEnd: value.length };
        versions.add({ key: value, sequence, kind, value, ...places }, kindFor(readers, kind, value, 0));
      }
      const task = { key: new Uint8Array(0), versions, newer, readers, coverAt, nothingBelow };
      outputs.versions.push(...foldVersions(task, env));
      break;
    }
    const kind = kindFor(readers, version.kind, version.value, 0);
    const cover = coverAt(readers.lowestFrom(version.sequence));
    if (!mayDrop(readers, kind, version.sequence, newer, cover, nothingBelow)) {
      outputs.versions.push({ ...version, kind });
    }
    newer = version.sequence;
  }
  return outputs;
}

function randomTree(random: Random, low: number, high: number, versions: number): Tree {
  const tree: Tree = { versions: [], tombstones: [] };
  for (let i = random.below(versions + 1); i > 0; i--) {
    const sequence = low + random.below(high - low + 1);
    if (tree.versions.some((version) => version.sequence === sequence)) continue;
    const kind = random.pick([KIND_MERGE, KIND_MERGE, KIND_MERGE, KIND_DELETE, KIND_PUT, KIND_PUT_EXPIRY]);
    tree.versions.push({ sequence, kind, value: bytesOf(String.fromCharCode(96 + sequence), kind) });
  }
  for (let i = random.below(3); i > 0; i--) tree.tombstones.push(low + random.below(high - low + 1));
  return tree;
}

describe('folding', () => {
  test.each([
    ['with an operator', appending],
    ['without one', keeping],
    ['with partial merges', shortening],
  ])('changes nothing for any reader, %s', (_name, env) => {
    const random = new Random(43);
    let before = 0;
    let after = 0;
    let puts = 0;
    for (let round = 0; round < 20_000; round++) {
      const hasBelow = random.oneIn(2);
      const below = hasBelow ? randomTree(random, 1, 6, 3) : { versions: [], tombstones: [] };
      const inputs = randomTree(random, 7, 20, 10);
      const now = random.below(9);
      const registered = Array.from({ length: random.below(4) }, () => ({
        sequence: random.below(22),
        time: random.below(now + 1),
      })).sort((a, b) => a.sequence - b.sequence);
      const latest = 20 + random.below(3);
      const floor = random.pick([latest, latest, random.below(21)]);
      const time = Math.min(now, ...registered.map((reader) => reader.time));
      const sequences = registered.map((reader) => reader.sequence);
      const oldest = Math.min(
        NO_NEWER,
        ...inputs.versions.map((version) => version.sequence),
        ...inputs.tombstones,
      );
      const outputs = applyRules(inputs, new Readers(sequences, floor, oldest, time), !hasBelow, env);
      const readers = [...registered];
      const later = [...sequences, latest, latest + 5];
      for (let r = floor; r < latest; r++) later.push(r);
      for (const sequence of later) for (const at of [now, now + 3]) readers.push({ sequence, time: at });
      for (const reader of readers) {
        const want = visible([inputs, below], reader.sequence, reader.time);
        const got = visible([outputs, below], reader.sequence, reader.time);
        if (got !== want)
          expect({ round, reader, registered, floor, time, inputs, below, outputs, got }).toBe(want);
      }
      const order = outputs.versions.map((version) => version.sequence);
      expect(order).toEqual([...new Set(order)].sort((a, b) => b - a));
      before += inputs.versions.length;
      after += outputs.versions.length;
      puts += outputs.versions.filter(
        (version) => version.kind === KIND_PUT && version.value.length > 1,
      ).length;
    }
    expect(after).toBeLessThan(before * 0.75);
    if (env === appending) expect(puts).toBeGreaterThan(5000);
    else expect(puts).toBe(0);
  });

  test('leaves one put of each key where nobody reads the past and nothing is below', () => {
    const random = new Random(44);
    for (let round = 0; round < 2000; round++) {
      const inputs = randomTree(random, 7, 20, 10);
      const oldest = Math.min(...inputs.versions.map((version) => version.sequence), 20);
      const outputs = applyRules(inputs, new Readers([], 20, oldest, EXPIRY), true, appending);
      expect(outputs.versions.length).toBe(visible([inputs], 20, EXPIRY) === undefined ? 0 : 1);
      expect(outputs.versions.every((version) => version.kind === KIND_PUT)).toBe(true);
    }
  });

  test('keeps operands as they are when the operator fails', () => {
    const inputs: Tree = {
      versions: [
        { sequence: 9, kind: KIND_MERGE, value: bytesOf('b', KIND_MERGE) },
        { sequence: 8, kind: KIND_PUT, value: bytesOf('a', KIND_PUT) },
      ],
      tombstones: [],
    };
    const outputs = applyRules(inputs, new Readers([], 9, 8, 0), true, keeping);
    expect(outputs.versions).toEqual(inputs.versions);
  });
});
