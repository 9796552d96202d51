/** The read modes that tests run in beside pread: mapping needs a package that need not be there. */
import { VarveError } from 'varve';
import { nodeFileSystem, type ReadMode, withReads } from 'varve/testing';

export function readModes(): ReadMode[] {
  return (['direct', 'mmap'] as const).filter((mode) => {
    try {
      withReads(nodeFileSystem, mode);
      return true;
    } catch (error) {
      if (error instanceof VarveError && error.code === 'MMAP_UNAVAILABLE') return false;
      throw error;
    }
  });
}
