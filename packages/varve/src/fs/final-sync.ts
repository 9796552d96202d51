/**
 * An fsync whose failure is told as final, for the log and the manifest.
 *
 * A failed fsync is final whatever the system calls it: what it did not write may be marked clean already, so the next one
 * could succeed without it. The error keeps no system code, so that it never passes for a full disk.
 */
import { VarveError } from '../base/errors.ts';

/** Runs `sync`; a failure becomes `SYNC_FAILED` (kind io). */
export function finalSync(path: string, sync: () => void): void {
  try {
    sync();
  } catch (cause) {
    if (!(cause instanceof VarveError)) throw cause;
    throw new VarveError(
      'io',
      'SYNC_FAILED',
      `fsync failed on ${path}: ${cause.message}`,
      { file: path },
      { cause },
    );
  }
}
