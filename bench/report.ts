import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { cwd } from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Flags } from './flags.ts'
import type { Machine } from './machine.ts'
import type { Findings, Goal, Table } from './section.ts'
import { formatNumber } from './statistics.ts'

/** The results of one run of the bench. */
export interface Report {
  readonly machine: Machine
  readonly flags: Flags
  readonly sections: readonly (Findings & { readonly name: string })[]
}

const folder = fileURLToPath(new URL('results/', import.meta.url))
const biome = fileURLToPath(new URL('../node_modules/@biomejs/biome/bin/biome', import.meta.url))

/** Writes the report as Markdown and as JSON, and returns the path of the Markdown file. */
export function writeReport(report: Report): string {
  const { machine, flags, sections } = report
  const names = sections.map(({ name }) => name)
  const part =
    flags.only.length === 0 ? '' : names.length > 3 ? '-some' : `-${flags.only.join('-').replaceAll('/', '-')}`
  const path = `${folder}${machine.date.slice(0, 10)}-${machine.commit}${part}`
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${path}.md`, markdownOf(report))
  writeFileSync(`${path}.json`, JSON.stringify(report))
  // Formats the file for the linter. Without Biome, nothing checks the format.
  spawnSync(process.execPath, [biome, 'format', '--write', `${path}.json`], { stdio: 'ignore' })
  return relative(cwd(), `${path}.md`)
}

function markdownOf({ machine, flags, sections }: Report): string {
  const goals = sections.flatMap((section) => section.goals)
  return [
    `# Bench of ${machine.date}, commit ${machine.commit}`,
    factsOf(machine, flags),
    ...(goals.length > 0 ? ['## Goals', goals.map((goal) => `- ${sentenceOf(goal)}`).join('\n')] : []),
    ...sections.map(sectionText),
  ]
    .join('\n\n')
    .concat('\n')
}

function factsOf(machine: Machine, { rounds, seconds }: Flags): string {
  return [
    `- Machine: ${machine.cpu}, ${machine.cores} cores, ${formatNumber(machine.memoryBytes / 1024 ** 3, 0)} GiB, ${machine.system}`,
    `- Cores: ${machine.pinning}`,
    `- Versions: ${Object.entries(machine.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
    `- ${rounds} interleaved rounds of ${seconds} s; medians, in brackets the smallest and the largest value`,
    `- Load average of the machine before: ${formatNumber(machine.loadBefore, 2)}, after: ${formatNumber(machine.loadAfter, 2)} ` +
      '(over one minute; a load before that is not near 0 comes from other work)',
  ].join('\n')
}

/** Returns the text of a section, for the terminal and for the report. */
export function sectionText({ title, notes, tables, goals }: Findings): string {
  return [
    `## ${title}`,
    notes.join('\n'),
    ...tables.map(tableText),
    ...(goals.length > 0 ? [goals.map((goal) => `- ${sentenceOf(goal)}`).join('\n')] : []),
  ].join('\n\n')
}

/** Returns a table of Markdown. */
export function tableText({ columns, rows }: Table): string {
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...rows.map((row) => (row[index] ?? '').length)),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, index) => (index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0))).join(' | ')} |`
  const rule = widths.map((width, index) => (index === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(columns), line(rule), ...rows.map(line)].join('\n')
}

function sentenceOf({ text, limit, measured, unit, digits }: Goal): string {
  const value = (number: number) => `${formatNumber(number, digits)} ${unit}`
  const goal = `goal "${text}, at most ${value(limit)}"`
  if (Number.isNaN(measured)) return `${goal} could not be measured`
  if (measured <= limit) return `${goal} met: ${value(measured)}`
  return `${goal} missed by ${value(measured - limit)}: ${value(measured)}`
}
