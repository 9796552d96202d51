/**
 * Modules of the user's in a job thread: imported before the first job that calls them, kept for later ones. A job is told why one
 * could not be imported when it asks for it, and does without.
 */
import type { CodeSource } from '../base/code-source.ts';
import { asError } from '../base/errors.ts';

/** A module whose evaluation takes longer counts as one that can not be imported: a flush waits for it. */
const IMPORT_MS_MAX = 10_000;

type Imported = { readonly names: Readonly<Record<string, unknown>> } | { readonly error: Error };

export class UserModules {
  readonly #imported = new Map<string, Imported>();

  /** Those that are not here yet. */
  missing(urls: readonly string[] | undefined): readonly string[] {
    return urls === undefined ? [] : urls.filter((url) => !this.#imported.has(url));
  }

  /** Never rejects. */
  async load(urls: readonly string[]): Promise<void> {
    await Promise.all(urls.map(async (url) => this.#imported.set(url, await importOf(url))));
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

async function importOf(url: string): Promise<Imported> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Imported>((resolve) => {
    const error = new Error(`importing ${url} took longer than ${IMPORT_MS_MAX} ms`);
    timer = setTimeout(() => resolve({ error }), IMPORT_MS_MAX);
  });
  const names = (import(url) as Promise<Readonly<Record<string, unknown>>>).then(
    (module) => ({ names: module }),
    (error: unknown) => ({ error: asError(error) }),
  );
  try {
    return await Promise.race([names, late]);
  } finally {
    clearTimeout(timer);
  }
}

function hasName(each: unknown, name: string): boolean {
  return typeof each === 'object' && each !== null && (each as { readonly name?: unknown }).name === name;
}
