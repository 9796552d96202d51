/** Entry of @varve/sim. Placeholder until the real one lands. */
export {};
