/** Entry of @varve/cli. Placeholder until the real one lands. */
export {};
