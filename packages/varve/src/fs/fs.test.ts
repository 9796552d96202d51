/** The conformance suite over every file system. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FaultFs } from './fault-fs.ts';
import { fileSystemSuite } from './fs.suite.ts';
import { MemoryFs } from './memory-fs.ts';
import { nodeFileSystem } from './node-fs.ts';
import { SimFs } from './sim-fs.ts';
import { withReads } from './table-reads.ts';

fileSystemSuite('node', () => {
  const root = mkdtempSync(join(tmpdir(), 'varve-fs-'));
  return { fs: nodeFileSystem, root, dispose: () => rmSync(root, { recursive: true, force: true }) };
});

fileSystemSuite('memory', () => {
  const fs = new MemoryFs();
  fs.makeDirectory(':memory:');
  return { fs, root: ':memory:', dispose: () => undefined };
});

fileSystemSuite('simulated', () => {
  const fs = new SimFs();
  fs.makeDirectory('/db');
  return { fs, root: '/db', dispose: () => undefined };
});

for (const mode of ['direct', 'mmap'] as const) {
  fileSystemSuite(`simulated, read by ${mode}`, () => {
    const fs = new SimFs();
    fs.makeDirectory('/db');
    return { fs: withReads(fs, mode), root: '/db', dispose: () => undefined };
  });
}

fileSystemSuite('fault-injecting, without rules', () => {
  const fs = new FaultFs(new MemoryFs());
  fs.makeDirectory('/db');
  return { fs, root: '/db', dispose: () => undefined };
});

fileSystemSuite('fault-injecting, with room enough', () => {
  const fs = new FaultFs(new MemoryFs());
  fs.freeBytes = 1 << 30;
  fs.makeDirectory('/db');
  return { fs, root: '/db', dispose: () => undefined };
});
