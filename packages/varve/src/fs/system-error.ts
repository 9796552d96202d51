/**
 * Failures in the shape of the operating system's, for the file systems that are not one: memory, simulated, faulty.
 * Callers see the same VarveError of kind `io` with `context.system` that the node file system raises through `ioError`.
 */
import type { VarveError } from '../base/errors.ts';
import { ioError } from '../base/errors.ts';

const meanings: Readonly<Record<string, string>> = {
  EBADF: 'bad file descriptor',
  EEXIST: 'file already exists',
  EINVAL: 'invalid argument',
  EIO: 'i/o error',
  EISDIR: 'illegal operation on a directory',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  EPERM: 'operation not permitted',
};

/** The error that `operation` on `path` raises when the system answers `code`. */
export function systemFailure(code: string, operation: string, path: string): VarveError {
  const cause = Object.assign(new Error(`${code}: ${meanings[code] ?? 'failed'}, ${operation} '${path}'`), {
    code,
    syscall: operation,
    path,
  });
  return ioError(operation, path, cause);
}
