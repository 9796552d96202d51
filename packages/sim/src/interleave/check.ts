/**
 * Checks one instance: all orders of its steps, or until one fails; then the simplest schedule that does.
 */
import type { Instance } from './instance.ts';
import { labelsOf } from './instance.ts';
import { withModel } from './intercept.ts';
import { Machine } from './machine.ts';
import { ModelMemory } from './model-memory.ts';
import { type Position, Positions, type Turn } from './position.ts';
import { type Failure, type Found, LearnedMore, Search, type SearchLimits } from './search.ts';
import type { TraceLine } from './steps.ts';

export type CheckOptions = Partial<SearchLimits>;

export interface Verdict extends Found {
  readonly name: string;
  /** How often the search began anew because it had learned of another shared word. */
  readonly passes: number;
  /** Of a failure, the schedule step by step. */
  readonly trace: readonly TraceLine[];
  readonly nameOf: (word: number) => string;
}

const STATES_MAX = 2_000_000;
/** For the search of a simpler schedule. */
const SIMPLE_STATES_MAX = 30_000;

interface Model {
  readonly machine: Machine;
  readonly positions: Positions;
  readonly shared: unknown;
  readonly prepared: Position;
}

export function check(instance: Instance, options: CheckOptions = {}): Verdict {
  const machine = new Machine(new ModelMemory());
  return withModel(machine, () => {
    const model = build(instance, machine);
    const searched = searchAll(instance, model, {
      statesMax: STATES_MAX,
      ...(instance.preemptionsMax === undefined ? {} : { preemptionsMax: instance.preemptionsMax }),
      ...options,
    });
    const { passes } = searched;
    let { found } = searched;
    let trace: TraceLine[] = [];
    if (found.failure !== undefined) {
      const failure = simplest(instance, model, found.failure);
      found = { ...found, failure };
      trace = follow(model, failure.turns);
    }
    return {
      ...found,
      name: instance.name,
      passes,
      trace,
      nameOf: (word) => machine.memory.nameOf(word),
    };
  });
}

/** What happens under a schedule that was printed before. */
export function replay(instance: Instance, turns: readonly Turn[]): Pick<Verdict, 'trace' | 'nameOf'> {
  const machine = new Machine(new ModelMemory());
  return withModel(machine, () => ({
    trace: follow(build(instance, machine), turns),
    nameOf: (word) => machine.memory.nameOf(word),
  }));
}

function build(instance: Instance, machine: Machine): Model {
  const { memory } = machine;
  const dead = new SharedArrayBuffer(4 * instance.threads.length);
  memory.add(dead, 'dead');
  instance.threads.forEach(({ name }, i) => memory.label(memory.firstWord(dead) + i, `dead(${name})`));
  const shared = instance.setup(labelsOf(memory));
  const positions = new Positions(instance, machine, shared, dead);
  return { machine, positions, shared, prepared: positions.prepare() };
}

function searchAll(instance: Instance, model: Model, limits: SearchLimits): { found: Found; passes: number } {
  const { machine, positions, shared, prepared } = model;
  for (let passes = 1; ; passes++) {
    try {
      return { found: new Search(instance, machine, positions, shared, limits).run(prepared), passes };
    } catch (error) {
      if (!(error instanceof LearnedMore)) throw error;
    }
  }
}

/** The same failure, or another, with as few preemptions as possible. */
function simplest(instance: Instance, model: Model, failure: Failure): Failure {
  for (let preemptionsMax = 0; preemptionsMax < 6; preemptionsMax++) {
    const { found } = searchAll(instance, model, { statesMax: SIMPLE_STATES_MAX, preemptionsMax });
    if (found.failure !== undefined) return found.failure;
    if (!found.isComplete) break;
  }
  return failure;
}

function follow(model: Model, turns: readonly Turn[]): TraceLine[] {
  const { machine, positions, prepared } = model;
  const trace: TraceLine[] = [];
  const mark = machine.memory.mark();
  positions.trace = trace;
  try {
    let here = prepared;
    for (const turn of turns) here = positions.follow(here, turn);
  } finally {
    positions.trace = undefined;
    machine.memory.undo(mark);
  }
  return trace;
}
