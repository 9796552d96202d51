/**
 * When memory may be used again (packages/varve/src/engine/sharing/epochs.ts): what a reader found in an operation stays what it
 * is until the operation's end, whatever the writer does.
 */
import { EPOCH, isPast, pin, retire, unpin } from 'varve/internals';
import { type Control, join, makeControl, must } from './control.check.ts';
import { type Instance, instance, thread } from './instance.ts';

interface Shared extends Control {
  /** Word 0 names the place, 1 or 2, of the pair that counts; the pairs begin at words 2 and 4. */
  readonly memory: SharedArrayBuffer;
}

const CURRENT = 0;
const pairAt = (place: number): number => 2 * place;

function read(words: Int32Array): readonly [number, number] {
  const at = pairAt(Atomics.load(words, CURRENT));
  return [words[at]!, words[at + 1]!];
}

function write(words: Int32Array, place: number, value: number): void {
  words[pairAt(place)] = value;
  words[pairAt(place) + 1] = value;
}

/** A writer that replaces the pair `times`, each time in the place that came free; readers that look twice. */
function replacing(name: string, readers: number, times: number, firstEpoch = 1): Instance {
  return instance<Shared>({
    name,
    setup(label) {
      const memory = new SharedArrayBuffer(24);
      label(memory, 'memory', { 0: 'current', 2: 'a.first', 3: 'a.second', 4: 'b.first', 5: 'b.second' });
      const words = new Int32Array(memory);
      words[CURRENT] = 1;
      write(words, 1, 100);
      const control = makeControl(label);
      new Int32Array(control)[EPOCH] = firstEpoch;
      return { control, memory };
    },
    threads: [
      thread<Shared, { words: Int32Array }>({
        name: 'writer',
        prepare: (shared, self) => join(shared, self.index),
        run({ memory }, _, { words: control }) {
          const words = new Int32Array(memory);
          let free = 2;
          for (let i = 1; i <= times; i++) {
            write(words, free, 100 + i);
            Atomics.store(words, CURRENT, free);
            const stamp = retire(control);
            while (!isPast(control, stamp));
            free = 3 - free;
          }
        },
      }),
      ...Array.from({ length: readers }, () =>
        thread<Shared, { words: Int32Array; slot: number }>({
          name: 'reader',
          prepare: (shared, self) => join(shared, self.index),
          run({ memory }, _, { words: control, slot }) {
            const words = new Int32Array(memory);
            let newest = 0;
            for (let look = 0; look < 2; look++) {
              pin(control, slot);
              const [first, second] = read(words);
              unpin(control, slot);
              must(first === second && first >= newest, () => `a reader met ${first} beside ${second}`);
              newest = first;
            }
          },
        }),
      ),
    ],
  });
}

export const epochInstances: readonly Instance[] = [
  replacing('epochs: memory is used again beside a reader', 1, 2),
  replacing('epochs: the epoch passes 0', 1, 2, -1),
  replacing('epochs: the epoch wraps', 1, 3, 0x7fffffff),
];

export const epochDeepInstances: readonly Instance[] = [replacing('epochs: two readers', 2, 3)];
