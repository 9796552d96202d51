/** Public entry of varve/testing: seams for tests of users. Placeholder until the real one lands. */
export {};
