/**
 * Loaded first by every process of a test run (vitest.config.ts): keeps V8 from compiling hot imports of WebAssembly anew.
 *
 * Worker threads of tests load sources, so each has Node strip their types, in WebAssembly with hot imports. V8 13 keeps
 * the compiled wrappers of imports in one cache of the process, and threads that replace wrappers in it at the same moment
 * can abort the process (ThreadIsolation::UnregisterWasmAllocation; one run in 75 of a test that opens many databases).
 * Built code strips nothing and has no hot imports. With a budget that no count reaches the wrappers are never replaced.
 */
const [major] = process.versions.node.split('.');
// Older ones do not know the flag, and do not strip types unasked.
if (Number(major) >= 24) process.getBuiltinModule('node:v8').setFlagsFromString('--wasm-wrapper-tiering-budget=2000000000');
