/**
 * Writes docs/reference/settings.md from the declarations of the settings (packages/varve/src/options).
 *
 *   node scripts/docs-reference.mjs            writes the page
 *
 * That the page in the repository is current is checked by `npm run docs` and by docs/symbols.test.ts.
 * It imports TypeScript as it is, so it needs the Node of the tool chain (npm puts it on the path).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'packages', 'varve', 'src', 'options', 'describe.ts');
export const settingsPath = join(root, 'docs', 'reference', 'settings.md');

const head = `# Settings

<!-- Made by scripts/docs-reference.mjs from packages/varve/src/options. Do not edit: change the declaration. -->

Every setting has a default. Unknown names and values out of range are refused: one \`OPTION_INVALID\` names all problems at
once. Sizes are in bytes, times in milliseconds. Settings marked "later" in their text have their name taken and are refused
with \`NOT_SUPPORTED_YET\`. Settings of a keyspace are not stored: give them at every open.

`;

/** The text that the page should have. */
export async function settingsPage() {
  const { describeSettings } = await import(pathToFileURL(source).href);
  return head + describeSettings();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(dirname(settingsPath), { recursive: true });
  writeFileSync(settingsPath, await settingsPage());
  console.log('docs-reference: wrote docs/reference/settings.md');
}
