/**
 * The reference page of settings as markdown, made from the declarations: docs/reference shows it, so that a default is
 * written in one place only. Called by the documentation scripts, never by the engine.
 */
import { databaseSettings } from './database-settings.ts';
import { strategySettings } from './compaction-settings.ts';
import { keyspaceSettings } from './keyspace-settings.ts';
import type { Setting } from './setting.ts';
import { showValue } from './setting.ts';

/** Two tables: options of `open`, settings of a keyspace. */
export function describeSettings(): string {
  return [
    '## Options of `open`',
    '',
    ...table(databaseSettings),
    '',
    '## Settings of a keyspace',
    '',
    'For one keyspace in `db.keyspace(name, settings)`, for all of them in `keyspaceDefaults`.',
    '',
    ...table(keyspaceSettings),
    '',
    ...Object.entries(strategySettings).flatMap(([name, settings]) => [
      `### Compaction: ${name}`,
      '',
      `Beside \`strategy: '${name}'\` in \`compaction\`.`,
      '',
      ...table(settings),
      '',
    ]),
  ].join('\n');
}

function table(settings: { readonly [name: string]: Setting<unknown> }): string[] {
  const rows = Object.entries(settings).map(([name, declared]) => {
    const cells = [
      `\`${name}\``,
      `\`${declared.type}\``,
      declared.defaultText,
      bounds(declared),
      declared.doc,
      declared.raiseWhen ?? '',
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return [
    '| name | type | default | from, to | what it does | change it when |',
    '|---|---|---|---|---|---|',
    ...rows,
  ];
}

function bounds({ min, max, unit }: Setting<unknown>): string {
  if (min === undefined || max === undefined) return '';
  return `${showValue(min, unit)}, ${max === Number.MAX_SAFE_INTEGER ? 'no limit' : showValue(max, unit)}`;
}
