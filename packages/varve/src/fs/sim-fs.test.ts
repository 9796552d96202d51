/**
 * What the simulated disk keeps, loses and tears of data, and how its lives follow each other. Each claim about "may" is
 * shown over many seeds. Names are in sim-fs-names.test.ts.
 */
import { describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { readFile, writeFully } from './file-system.ts';
import { bytes, durable, names, outcomes, put } from './sim-fs.suite.ts';
import { SimFs } from './sim-fs.ts';
import { type SimOperation, SimulatedCrash } from './sim-power.ts';

describe('data', () => {
  test('what was synced survives every crash', () => {
    for (const sync of ['sync', 'dataSync'] as const) {
      const fs = durable((disk) => {
        const file = disk.open('/db/a', 'create');
        for (let i = 0; i < 30; i++) writeFully(file, bytes(100, i), 0, 100, i * 100);
        file.truncate(2500);
        file[sync]();
      });
      const before = readFile(fs, '/db/a');
      outcomes(fs, (after) => {
        expect(readFile(after, '/db/a')).toEqual(before);
        return '';
      });
    }
  });

  test('what was not synced may be there, gone or torn at sectors', () => {
    const fs = durable((disk) => put(disk, '/db/a', bytes(0, 0)));
    put(fs, '/db/a', bytes(2048, 1), false);
    const seen = outcomes(fs, (after) => {
      const content = readFile(after, '/db/a');
      let picture = '';
      for (let at = 0; at < content.length; at += 512) {
        const sector = content.subarray(at, at + 512);
        expect(new Set(sector).size).toBe(1);
        picture += sector[0] === 0 ? '0' : '1';
      }
      return picture;
    });
    expect([...seen]).toEqual(expect.arrayContaining(['', '1111', '1', '11']));
    expect([...seen].some((picture) => picture.includes('01'))).toBe(true);
    expect([...seen].some((picture) => /^0+$/.test(picture))).toBe(true);
  });

  test('bytes that were synced survive the loss of a later write to the same sector', () => {
    const fs = durable((disk) => put(disk, '/db/a', bytes(100, 1)));
    const file = fs.open('/db/a', 'readWrite');
    writeFully(file, bytes(100, 2), 0, 100, 100);
    const seen = outcomes(fs, (after) => {
      const content = readFile(after, '/db/a');
      expect(content.subarray(0, 100)).toEqual(bytes(100, 1));
      return [...new Set(content)].join();
    });
    expect(seen).toEqual(new Set(['1', '1,2', '1,0']));
  });

  test('sectors of a recycled file come back with their old content, in any mix', () => {
    const fs = durable((disk) => put(disk, '/db/1', bytes(2048, 7)));
    fs.rename('/db/1', '/db/2');
    fs.syncDirectory('/db');
    put(fs, '/db/2', bytes(2048, 8), false);
    const seen = outcomes(fs, (after) => {
      expect(names(after)).toBe('2');
      const content = readFile(after, '/db/2');
      expect(content).toHaveLength(2048);
      return [0, 512, 1024, 1536].map((at) => content[at]).join('');
    });
    expect([...seen]).toEqual(expect.arrayContaining(['7777', '8888', '8877', '7878', '7788']));
  });

  test('a sector written several times may show each of its contents', () => {
    const fs = durable((disk) => put(disk, '/db/a', bytes(512, 1)));
    for (const fill of [2, 3]) put(fs, '/db/a', bytes(512, fill), false);
    const seen = outcomes(fs, (after) => String(readFile(after, '/db/a')[0]));
    expect(seen).toEqual(new Set(['1', '2', '3']));
  });

  test('an unsynced cut may be lost, and what it cut is then there again', () => {
    const cut = (): SimFs => {
      const disk = durable((made) => put(made, '/db/a', bytes(1024, 1)));
      const file = disk.open('/db/a', 'readWrite');
      file.truncate(0);
      file.close();
      return disk;
    };
    const fs = cut();
    const whole = outcomes(fs, (after) => String(readFile(after, '/db/a').length), { data: 'nothing' });
    expect(whole).toEqual(new Set(['1024']));
    const seen = outcomes(fs, (after) => String(readFile(after, '/db/a').length));
    expect([...seen]).toEqual(expect.arrayContaining(['0', '1024']));
    const rewritten = cut();
    put(rewritten, '/db/a', bytes(100, 2), false);
    const mixed = outcomes(rewritten, (after) => {
      const content = readFile(after, '/db/a');
      return `${content.length} ${content[0] ?? '-'}`;
    });
    expect([...mixed]).toEqual(expect.arrayContaining(['100 2', '1024 1', '0 -']));
  });

  test('a sync of one file says nothing about another', () => {
    const fs = durable((disk) => {
      put(disk, '/db/a', bytes(0, 0));
      put(disk, '/db/b', bytes(0, 0));
    });
    put(fs, '/db/a', bytes(10, 1), false);
    put(fs, '/db/b', bytes(10, 1), true);
    const seen = outcomes(
      fs,
      (after) => `${readFile(after, '/db/a').length} ${readFile(after, '/db/b').length}`,
    );
    expect([...seen]).toEqual(expect.arrayContaining(['0 10', '10 10']));
    for (const outcome of seen) expect(outcome).toMatch(/ 10$/);
  });
});

describe('lives', () => {
  test('a seed gives the same outcome every time', () => {
    const fs = durable(() => undefined);
    for (let i = 0; i < 10; i++) put(fs, `/db/${i}`, bytes(3000, i), false);
    const picture = (after: SimFs): string =>
      after
        .list('/db')
        .map((name) => `${name}:${readFile(after, `/db/${name}`).join('')}`)
        .join();
    for (let seed = 0; seed < 20; seed++)
      expect(picture(fs.crash(new Random(seed)))).toBe(picture(fs.crash(new Random(seed))));
  });

  test('after a crash the disk is durable as it is', () => {
    const fs = durable(() => undefined);
    for (let i = 0; i < 10; i++) put(fs, `/db/${i}`, bytes(3000, i + 1), false);
    const picture = (life: SimFs): string =>
      life
        .list('/db')
        .map((name) => `${name}:${readFile(life, `/db/${name}`).join('')}`)
        .join();
    for (let seed = 0; seed < 50; seed++) {
      const second = fs.crash(new Random(seed));
      const before = picture(second);
      expect(picture(second.crash(new Random(seed + 1000)))).toBe(before);
    }
  });

  test('SIGKILL keeps everything, but does not sync it', () => {
    const fs = durable(() => undefined);
    put(fs, '/db/a', bytes(2000, 1), false);
    const next = fs.crashProcess();
    expect(readFile(next, '/db/a')).toEqual(bytes(2000, 1));
    expect(outcomes(next, names)).toEqual(new Set(['', 'a']));
    expect(() => fs.crash(new Random(1))).toThrow('handed over');
  });

  test('the crashed world and its handles refuse everything but closing', async () => {
    const fs = durable((disk) => put(disk, '/db/a', bytes(1, 1)));
    const file = fs.open('/db/a', 'readWrite');
    const lock = await fs.lock('/db');
    const next = fs.crash(new Random(1));
    expect(fs.stopped).toBe(true);
    for (const call of [
      () => file.read(bytes(1, 0), 0, 1, 0),
      () => file.write(bytes(1, 0), 0, 1, 0),
      () => file.size(),
      () => file.truncate(0),
      () => file.sync(),
      () => file.dataSync(),
      () => fs.open('/db/a', 'read'),
      () => fs.open('/db/b', 'create'),
      () => fs.status('/db'),
      () => fs.list('/db'),
      () => fs.makeDirectory('/x'),
      () => fs.remove('/db/a'),
      () => fs.removeDirectory('/db'),
      () => fs.rename('/db/a', '/db/b'),
      () => fs.link('/db/a', '/db/b'),
      () => fs.syncDirectory('/db'),
    ])
      expect(call).toThrow(SimulatedCrash);
    await expect(fs.lock('/db')).rejects.toThrow(SimulatedCrash);
    file.close();
    await lock.release();
    expect(names(next)).toBe('a');
    await (await next.lock('/db')).release();
  });

  test('the observer sees every operation and can stop the world before any of them', () => {
    const script = (fs: SimFs): void => {
      fs.makeDirectory('/db');
      const file = fs.open('/db/a', 'create');
      writeFully(file, bytes(1, 1), 0, 1, 0);
      file.truncate(2);
      file.dataSync();
      file.sync();
      file.close();
      fs.link('/db/a', '/db/b');
      fs.rename('/db/b', '/db/c');
      fs.syncDirectory('/db');
      fs.remove('/db/a');
      fs.remove('/db/c');
      fs.removeDirectory('/db');
    };
    const seen: SimOperation[] = [];
    const whole = new SimFs();
    whole.onOperation = (operation) => seen.push(operation);
    script(whole);
    expect(seen).toEqual([
      'makeDirectory',
      'create',
      'write',
      'truncate',
      'dataSync',
      'sync',
      'link',
      'rename',
      'syncDirectory',
      'remove',
      'remove',
      'removeDirectory',
    ]);
    expect([whole.operations, whole.syncs]).toEqual([12, 3]);
    for (let stop = 0; stop < seen.length; stop++) {
      const fs = new SimFs();
      fs.onOperation = () => {
        if (fs.operations === stop + 1) throw new SimulatedCrash();
      };
      expect(() => script(fs)).toThrow(SimulatedCrash);
      expect(fs.operations).toBe(stop + 1);
      expect(fs.stopped).toBe(true);
      fs.crash(new Random(stop));
    }
  });

  test('another error of the observer fails the operation and the world goes on', () => {
    const fs = durable(() => undefined);
    fs.onOperation = (operation) => {
      if (operation === 'create') throw new Error('not today');
    };
    expect(() => put(fs, '/db/a', bytes(1, 1))).toThrow('not today');
    fs.onOperation = undefined;
    put(fs, '/db/a', bytes(1, 1));
    expect(names(fs)).toBe('a');
  });

  test('random histories that end with a sync of everything lose nothing', () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = new Random(seed);
      let fs = durable(() => undefined);
      for (let life = 0; life < 3; life++) {
        for (let step = 0; step < 60; step++) {
          const name = `/db/${random.below(6)}`;
          const other = `/db/${random.below(6)}`;
          const there = fs.status(name) !== undefined;
          const action = random.below(6);
          if (action <= 1) put(fs, name, bytes(random.below(2000), random.below(256)), random.oneIn(2));
          else if (action === 2 && there) fs.rename(name, other);
          else if (action === 3 && there && fs.status(other) === undefined) fs.link(name, other);
          else if (action === 4 && there) fs.remove(name);
          else if (random.oneIn(3)) fs.syncDirectory('/db');
        }
        for (const name of fs.list('/db')) {
          const file = fs.open(`/db/${name}`, 'readWrite');
          file.sync();
          file.close();
        }
        fs.syncDirectory('/db');
        const before = fs.list('/db').map((name) => [name, readFile(fs, `/db/${name}`)]);
        const after = random.oneIn(2) ? fs.crash(random) : fs.crashProcess();
        expect(after.list('/db').map((name) => [name, readFile(after, `/db/${name}`)])).toEqual(before);
        fs = after;
      }
    }
  });
});
