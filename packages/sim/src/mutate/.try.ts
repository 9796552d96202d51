import { runMutateCommand } from './command.ts';
const [n, seed, specimen, file, offset, bit] = process.argv.slice(2);
await runMutateCommand({ positions: Number(n), seed: Number(seed), log: (l) => console.log(l.slice(0, 900)), ...(file ? { only: { specimen: specimen!, file, offset: Number(offset), bit: Number(bit) } } : {}) });
