/** Public entry of varve. Placeholder until the real one lands. */
export const version: string = '0.1.0';
