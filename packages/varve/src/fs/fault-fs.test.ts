/** What the fault-injecting wrapper breaks, and that it breaks nothing else. */
import { describe, expect, test } from 'vitest';
import { systemCode } from '../base/errors.ts';
import { Random } from '../base/random.ts';
import { FaultFs } from './fault-fs.ts';
import { readFile, writeFully } from './file-system.ts';
import { MemoryFs } from './memory-fs.ts';
import { SimFs } from './sim-fs.ts';

function disk(seed = 1): FaultFs {
  const fs = new FaultFs(new MemoryFs(), { random: new Random(seed) });
  fs.makeDirectory('/db');
  return fs;
}

function put(fs: FaultFs, path: string, length: number): void {
  const file = fs.open(path, fs.status(path) === undefined ? 'create' : 'readWrite');
  try {
    writeFully(file, new Uint8Array(length).fill(1), 0, length, 0);
  } finally {
    file.close();
  }
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return systemCode(error);
  }
  return 'ok';
}

describe('rules', () => {
  test('EIO strikes the named operation on the matching path only, until it is taken out', () => {
    const fs = disk();
    const heal = fs.add({ kind: 'EIO', operations: ['write'], path: '.wal' });
    expect(codeOf(() => put(fs, '/db/1.wal', 10))).toBe('EIO');
    expect(codeOf(() => put(fs, '/db/1.sst', 10))).toBe('ok');
    expect(fs.status('/db/1.wal')?.size).toBe(0);
    heal();
    expect(codeOf(() => put(fs, '/db/1.wal', 10))).toBe('ok');
    expect(fs.injected.EIO).toBe(1);
  });

  test('a pattern may be a regular expression, also a global one', () => {
    const fs = disk();
    fs.add({ kind: 'EIO', path: /MANIFEST-\d+$/g, operations: ['create'] });
    for (let i = 0; i < 3; i++) expect(codeOf(() => put(fs, '/db/MANIFEST-000001', 1))).toBe('EIO');
    expect(codeOf(() => put(fs, '/db/MANIFEST-x', 1))).toBe('ok');
  });

  test('without operations EIO strikes everything, handles and names', () => {
    const fs = disk();
    put(fs, '/db/a', 1);
    const file = fs.open('/db/a', 'readWrite');
    fs.add({ kind: 'EIO' });
    for (const call of [
      () => file.read(new Uint8Array(1), 0, 1, 0),
      () => file.write(new Uint8Array(1), 0, 1, 0),
      () => file.truncate(0),
      () => file.sync(),
      () => file.dataSync(),
      () => fs.open('/db/a', 'read'),
      () => fs.open('/db/b', 'create'),
      () => fs.status('/db/a'),
      () => fs.list('/db'),
      () => fs.makeDirectory('/x'),
      () => fs.remove('/db/a'),
      () => fs.removeDirectory('/db'),
      () => fs.rename('/db/a', '/db/b'),
      () => fs.link('/db/a', '/db/b'),
      () => fs.syncDirectory('/db'),
    ])
      expect(codeOf(call)).toBe('EIO');
    fs.heal();
    expect(fs.list('/db')).toEqual(['a']);
  });

  test('skip lets operations pass first and times ends the rule', () => {
    const fs = disk();
    fs.add({ kind: 'EIO', operations: ['create'], skip: 2, times: 2 });
    const codes = ['a', 'b', 'c', 'd', 'e'].map((name) => codeOf(() => put(fs, `/db/${name}`, 1)));
    expect(codes).toEqual(['ok', 'ok', 'EIO', 'EIO', 'ok']);
  });

  test('probability draws from the seed', () => {
    const run = (seed: number): string => {
      const fs = disk(seed);
      fs.add({ kind: 'EIO', operations: ['create'], probability: 0.3 });
      let picture = '';
      for (let i = 0; i < 200; i++) picture += codeOf(() => put(fs, `/db/${i}`, 1)) === 'ok' ? '.' : 'x';
      expect(fs.injected.EIO).toBe(picture.split('x').length - 1);
      return picture;
    };
    expect(run(5)).toBe(run(5));
    expect(run(5)).not.toBe(run(6));
    const faults = run(5).split('x').length - 1;
    expect(faults).toBeGreaterThan(40);
    expect(faults).toBeLessThan(80);
  });

  test('a short write takes at least a byte and not all, so writeFully goes on', () => {
    const fs = disk();
    fs.add({ kind: 'shortWrite' });
    const file = fs.open('/db/a', 'create');
    const taken = file.write(new Uint8Array(100), 0, 100, 0);
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(100);
    const content = new Uint8Array(1000).map((_, i) => i);
    writeFully(file, content, 0, 1000, 0);
    file.close();
    expect(readFile(fs, '/db/a')).toEqual(content);
  });

  test('a failed sync makes nothing durable', () => {
    const sim = new SimFs();
    const fs = new FaultFs(sim);
    fs.makeDirectory('/db');
    sim.syncDirectory('/');
    put(fs, '/db/a', 10);
    fs.add({ kind: 'failedSync' });
    const file = fs.open('/db/a', 'readWrite');
    expect(codeOf(() => file.sync())).toBe('EIO');
    expect(codeOf(() => file.dataSync())).toBe('EIO');
    expect(codeOf(() => fs.syncDirectory('/db'))).toBe('EIO');
    expect(fs.injected.failedSync).toBe(3);
    expect(sim.crash(new Random(1), { names: 'nothing' }).list('/db')).toEqual([]);
  });

  test('a bit flip changes one bit of what is read and nothing of what is stored', () => {
    const fs = disk();
    put(fs, '/db/a', 64);
    const heal = fs.add({ kind: 'bitFlip' });
    const flipped = readFile(fs, '/db/a');
    let bits = 0;
    for (const byte of flipped) for (let rest = byte ^ 1; rest > 0; rest >>= 1) bits += rest & 1;
    expect(bits).toBe(1);
    heal();
    expect(readFile(fs, '/db/a')).toEqual(new Uint8Array(64).fill(1));
  });

  test('latency calls what was given for it', () => {
    const calls: string[] = [];
    const fs = new FaultFs(new MemoryFs(), {
      delay: (operation, path) => calls.push(`${operation} ${path}`),
    });
    fs.add({ kind: 'latency', operations: ['makeDirectory', 'write'] });
    fs.makeDirectory('/db');
    put(fs, '/db/a', 1);
    expect(calls).toEqual(['makeDirectory /db', 'write /db/a']);
    expect(fs.injected.latency).toBe(2);
  });

  test('lock can fail too', async () => {
    const fs = disk();
    fs.add({ kind: 'EIO', operations: ['lock'], times: 1 });
    await expect(fs.lock('/db')).rejects.toMatchObject({ kind: 'io' });
    await (await fs.lock('/db')).release();
  });
});

describe('free space', () => {
  test('the write that does not fit is taken in part, the next one is refused', () => {
    const fs = disk();
    fs.freeBytes = 100;
    const file = fs.open('/db/a', 'create');
    expect(file.write(new Uint8Array(80), 0, 80, 0)).toBe(80);
    expect(file.write(new Uint8Array(80), 0, 80, 80)).toBe(20);
    expect(codeOf(() => file.write(new Uint8Array(80), 0, 80, 100))).toBe('ENOSPC');
    expect(fs.freeBytes).toBe(0);
    expect(fs.injected).toMatchObject({ shortWrite: 1, ENOSPC: 1 });
    expect(file.write(new Uint8Array(50), 0, 50, 10)).toBe(50);
    expect(codeOf(() => fs.open('/db/b', 'create'))).toBe('ENOSPC');
  });

  test('cutting and removing gives the bytes back', () => {
    const fs = disk();
    fs.freeBytes = 100;
    put(fs, '/db/a', 60);
    const file = fs.open('/db/a', 'readWrite');
    file.truncate(10);
    expect(fs.freeBytes).toBe(90);
    expect(codeOf(() => file.truncate(200))).toBe('ENOSPC');
    file.truncate(30);
    expect(fs.freeBytes).toBe(70);
    fs.remove('/db/a');
    expect(fs.freeBytes).toBe(100);
  });

  test('a file gives its bytes back with its last name, and a replaced one does too', () => {
    const fs = disk();
    fs.freeBytes = 100;
    put(fs, '/db/a', 40);
    fs.link('/db/a', '/db/b');
    fs.remove('/db/a');
    expect(fs.freeBytes).toBe(60);
    put(fs, '/db/c', 10);
    fs.rename('/db/c', '/db/b');
    expect(fs.freeBytes).toBe(90);
    fs.remove('/db/b');
    expect(fs.freeBytes).toBe(100);
  });

  test('more room lets a retry go through', () => {
    const fs = disk();
    fs.freeBytes = 10;
    expect(codeOf(() => put(fs, '/db/a', 20))).toBe('ENOSPC');
    fs.freeBytes = undefined;
    expect(codeOf(() => put(fs, '/db/a', 20))).toBe('ok');
  });
});
