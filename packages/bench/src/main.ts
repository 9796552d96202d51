/** Entry of @varve/bench. Placeholder until the real one lands. */
export {};
