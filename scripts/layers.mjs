/**
 * Checks the layers: runs dependency-cruiser with the rules of .dependency-cruiser/config.mjs over the packages.
 * It fails when it saw no module, since the cruiser sees none, and is content, when it finds no TypeScript API.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';
import { options, rulesFor } from '../.dependency-cruiser/config.mjs';

/** Reads all packages below `root`; returns the number of modules and one line for each violation. */
export async function checkLayers(root, exposed) {
  const { output } = await cruise(['packages'], {
    ...options,
    baseDir: root,
    validate: true,
    ruleSet: { forbidden: rulesFor(root, exposed), options },
  });
  const { modules, summary } = output;
  const comments = new Map(rulesFor(root, exposed).map((rule) => [rule.name, rule.comment]));
  const violations = summary.violations.map(({ rule, from, to, cycle }) => {
    const way = cycle ? cycle.map((step) => step.name).join(' -> ') : to;
    return `${from} -> ${way}\n  ${rule.name}: ${comments.get(rule.name)}`;
  });
  return { modules: modules.filter((module) => /^packages\/.*\.ts$/.test(module.source)).length, violations };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { modules, violations } = await checkLayers(join(dirname(fileURLToPath(import.meta.url)), '..'));
  for (const violation of violations) console.error(violation);
  if (modules === 0)
    console.error('layers: no module seen; dependency-cruiser needs the TypeScript 6 API ("typescript")');
  console.log(`layers: ${modules} modules, ${violations.length} violations`);
  process.exitCode = modules === 0 || violations.length > 0 ? 1 : 0;
}
