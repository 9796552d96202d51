/** Entry of the demo that npm start shows. Placeholder until the real one lands. */
export {};
