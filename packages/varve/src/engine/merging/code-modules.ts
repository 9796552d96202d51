/**
 * The modules of the user's that a job imports before it begins, where it runs in another thread.
 */
import type { JobCode } from '../../compaction/job.ts';

/** Modules that a job with this code needs. */
export function modulesOf(code: JobCode | undefined): { readonly modules?: readonly string[] } {
  const urls = [code?.operator, code?.filter].flatMap((source) =>
    source?.url === undefined || source.isBuiltIn ? [] : [source.url],
  );
  return urls.length === 0 ? {} : { modules: urls };
}
