import { runKillRounds } from './command.ts';
await runKillRounds({ rounds: Number(process.argv[2]), seed: Number(process.argv[3]), log: console.log });
