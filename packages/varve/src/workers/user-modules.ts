/**
 * Modules of the user's in a job thread: imported before the first job that calls them, kept for later ones. A job is told why one
 * could not be imported when it asks for it, and does without; the next job tries again, as a file may have been on its way. One that
 * is late is not waited for again, and is there for the jobs after it has come. (One that threw is not run again: so ES modules are.)
 */
import type { CodeSource } from '../base/code-source.ts';
import { asError } from '../base/errors.ts';

/** A module whose evaluation takes longer counts as one that can not be imported, until it has come: a flush waits for it. */
const IMPORT_MS_MAX = 10_000;

type Imported = { readonly names: Readonly<Record<string, unknown>> } | { readonly error: Error };

export class UserModules {
  readonly #imported = new Map<string, Imported>();
  /** Of them those that are still to come. */
  readonly #late = new Set<string>();
  readonly #waitMs: number;

  constructor(waitMs: number = IMPORT_MS_MAX) {
    this.#waitMs = waitMs;
  }

  /** Those to load before a job that calls them: they are not here yet, or could not be imported. */
  missing(urls: readonly string[] | undefined): readonly string[] {
    return urls === undefined ? [] : urls.filter((url) => this.#isMissing(url));
  }

  #isMissing(url: string): boolean {
    const imported = this.#imported.get(url);
    return imported === undefined || ('error' in imported && !this.#late.has(url));
  }

  /** Never rejects. */
  async load(urls: readonly string[]): Promise<void> {
    await Promise.all(urls.map((url) => this.#load(url)));
  }

  async #load(url: string): Promise<void> {
    const coming = importOf(url);
    const imported = await inTime(coming, this.#waitMs);
    if (imported !== undefined) {
      this.#imported.set(url, imported);
      return;
    }
    this.#late.add(url);
    this.#imported.set(url, { error: new Error(`importing ${url} took longer than ${this.#waitMs} ms`) });
    void coming.then((late) => {
      this.#late.delete(url);
      this.#imported.set(url, late);
    });
  }

  /** What the module exports under the name of the code, whatever the name of the export. */
  readonly find = (source: CodeSource): unknown => {
    const { url, name } = source;
    const imported = url === undefined ? undefined : this.#imported.get(url);
    if (imported === undefined) throw new Error('it was given without the url of its module');
    if ('error' in imported) throw imported.error;
    const found = Object.values(imported.names).find((each) => hasName(each, name));
    if (found === undefined) throw new Error(`${url} exports nothing with the name '${name}'`);
    return found;
  };
}

/** Never rejects. */
function importOf(url: string): Promise<Imported> {
  return (import(url) as Promise<Readonly<Record<string, unknown>>>).then(
    (names) => ({ names }),
    (error: unknown) => ({ error: asError(error) }),
  );
}

/** Undefined when it takes longer. */
async function inTime<T>(coming: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([coming, late]);
  } finally {
    clearTimeout(timer);
  }
}

function hasName(each: unknown, name: string): boolean {
  return typeof each === 'object' && each !== null && (each as { readonly name?: unknown }).name === name;
}
