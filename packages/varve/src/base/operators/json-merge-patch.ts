/**
 * JSON Merge Patch (RFC 7396) over values in JSON, as the codec `json` writes them, and sums of numbers in JSON.
 */
import type { MergeOperator } from '../merge-operator.ts';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Objects and arrays in one another. Applying a patch goes down as deep, and a deeper one could be stored but never read. */
export const PATCH_DEPTH_MAX = 512;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Applies merge patches to JSON values: members of a patch replace those of the value, nested ones likewise, null removes;
 * a patch that is no object replaces the whole value. A key without a value begins as an empty object.
 *
 * Errors: `OPERAND_INVALID` for an operand that is no JSON, or is nested more than 512 deep.
 *
 * @example
 * const users = db.keyspace('users', { key: utf8, value: json<object>(), mergeOperator: jsonMergePatch });
 * users.merge('ada', { city: 'London', phone: null });
 */
export const jsonMergePatch: MergeOperator = {
  name: 'varve.json-merge-patch',
  version: 1,
  merge(_key: Uint8Array, existing: Uint8Array | undefined, operands: readonly Uint8Array[]): Uint8Array {
    let value: Json | undefined = existing === undefined ? undefined : parse(existing);
    for (const operand of operands) value = patched(value, parse(operand));
    return encoder.encode(JSON.stringify(value));
  },
  refuse(operand: Uint8Array): string | undefined {
    try {
      if (isDeeper(parse(operand), PATCH_DEPTH_MAX)) {
        return `JSON with at most ${PATCH_DEPTH_MAX} objects and arrays in one another`;
      }
      return undefined;
    } catch {
      return 'JSON, as the value codec json writes it';
    }
  },
};

/**
 * Adds JSON numbers, negative ones and fractions too, for `value: json<number>()`; a key without one begins at 0. A sum
 * beyond what a number can be (1.8e308, either way) stays at the last that can.
 *
 * Errors: `OPERAND_INVALID` for an operand that is no number in JSON.
 */
export const jsonCounter: MergeOperator = {
  name: 'varve.json-counter',
  version: 1,
  merge(_key: Uint8Array, existing: Uint8Array | undefined, operands: readonly Uint8Array[]): Uint8Array {
    let sum = existing === undefined ? 0 : numberIn(existing);
    for (const operand of operands) sum = finite(sum + numberIn(operand));
    return encoder.encode(JSON.stringify(sum));
  },
  refuse(operand: Uint8Array): string | undefined {
    try {
      numberIn(operand);
      return undefined;
    } catch {
      return 'a number in JSON, as the value codec json writes it';
    }
  },
};

/** Section 2 of the RFC. Without recursion into the value beyond what the patch names. */
function patched(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: { [name: string]: Json } = Object.create(null) as { [name: string]: Json };
  if (isObject(target)) for (const [name, value] of Object.entries(target)) result[name] = value;
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = patched(Object.hasOwn(result, name) ? result[name] : undefined, value);
  }
  return result;
}

function isObject(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(bytes: Uint8Array): Json {
  return JSON.parse(decoder.decode(bytes)) as Json;
}

function numberIn(bytes: Uint8Array): number {
  const value = parse(bytes);
  if (typeof value !== 'number') throw new Error(`it adds numbers; got ${typeof value}`);
  return finite(value);
}

/** JSON has no infinity: a key that became one could not be read any more. */
function finite(sum: number): number {
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, sum));
}

/** Has it more than `depth` objects and arrays in one another? */
function isDeeper(value: Json, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((each) => isDeeper(each, depth - 1));
}
