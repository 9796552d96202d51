/** The form of an options object, which every call that takes one refuses alike: that it is one, and its members by name. */
import { invalid } from '../base/errors.ts';

/** @throws VarveError `OPTION_INVALID` */
export function checkOptionMembers(what: string, options: unknown, known: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid('OPTION_INVALID', `the options of ${what} are an object; got ${String(options)}`, {
      got: typeof options,
    });
  }
  const unknown = Object.keys(options).find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw invalid('OPTION_INVALID', `${what} has no option '${unknown}'`, {
    got: unknown,
    wanted: [...known],
  });
}
