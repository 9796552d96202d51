/** Tests run against the sources: the condition `varve-source` maps `varve` to packages/varve/src. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const preload = fileURLToPath(new URL('scripts/steady-wrappers.cjs', import.meta.url));

export default defineConfig({
  // Forks of vitest do not pass conditions on to code that resolves natively, hence execArgv too.
  ssr: { resolve: { conditions: ['varve-source', 'module', 'node', 'development|production'] } },
  test: {
    pool: 'forks',
    execArgv: ['--conditions=varve-source', '--require', preload],
    // For the processes that tests start.
    env: { NODE_OPTIONS: `--require "${preload}"` },
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'docs/**/*.test.ts',
      'scripts/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
    coverage: { include: ['packages/*/src/**/*.ts'], exclude: ['**/*.test.ts', '**/*.suite.ts'] },
  },
});
