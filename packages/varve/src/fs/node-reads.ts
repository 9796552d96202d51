/**
 * The other ways of reading (option `reads`) that the machine has: files opened with O_DIRECT, and files that are mapped.
 * Whether they work is found out when they are asked for; direct-handle.ts and mapped-handle.ts make whole handles of them.
 */
import { constants, openSync } from 'node:fs';
import type { FileHandle, Mapping, OtherReads } from './file-system.ts';
import { type MemoryMapper, memoryMapper } from './memory-map.ts';
import { NodeHandle, openNode, run } from './node-handle.ts';
import { systemFailure } from './system-error.ts';

export const nodeReads: OtherReads = {
  openDirect(path: string): FileHandle {
    // Only Linux has the flag.
    const { O_DIRECT, O_RDONLY } = constants as { O_DIRECT?: number; O_RDONLY: number };
    if (O_DIRECT === undefined) throw systemFailure('EINVAL', 'open', path);
    return openNode(path, O_RDONLY | O_DIRECT);
  },
  mapper() {
    const mapper = memoryMapper();
    return (path) => openAndMap(path, mapper);
  },
};

/** Not mapped are an empty file, a directory, and what the system has no room for. */
function openAndMap(
  path: string,
  mapper: MemoryMapper,
): { readonly file: FileHandle; readonly mapping: Mapping | undefined } {
  const descriptor = run('open', path, () => openSync(path, 'r'));
  const file = new NodeHandle(path, descriptor);
  try {
    const bytes = file.size();
    return { file, mapping: bytes === 0 ? undefined : mapper.map(descriptor, bytes) };
  } catch (error) {
    file.close();
    throw error;
  }
}
