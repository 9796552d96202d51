/**
 * Where a job finds user code: what goes with its input to whatever thread it runs in. Plain data.
 */

export interface CodeSource {
  readonly name: string;
  readonly version: string;
  /** Of the module that exports it; undefined: it was given without one, and other threads can not have it. */
  readonly url: string | undefined;
  /** It comes with the package. */
  readonly isBuiltIn: boolean;
  /** Of the object in the thread of the database's owner, for jobs that run there. */
  readonly id: number;
}
