import { parseArgs } from 'node:util'

/** The flags of the command line. */
export interface Flags {
  /** How often each subject is measured; 5 by default. */
  readonly rounds: number
  /** How long one measurement takes, in seconds; 3 by default. */
  readonly seconds: number
  /** The names of the sections to run, or of their parts as `replicas/ration`; when empty, all except those that run only by name. */
  readonly only: readonly string[]
  /** The numbers of documents with which memory and hits are measured, ascending; 10,000 and 100,000 by default. */
  readonly documents: readonly number[]
}

/** What the bench does instead of measuring its sections. */
export type OtherRun =
  /** The smoke run. `against` has folders of other builds of the service to compare with. */
  | { readonly kind: 'smoke'; readonly against: readonly string[] }
  /** Draws the chart of the documentation from a report as JSON. */
  | { readonly kind: 'draw'; readonly report: string }

export const usage =
  'npm run bench -- [--rounds 5] [--seconds 3] [--only hits,misses] [--documents 10000,100000]\n' +
  'npm run bench -- --smoke [--against FOLDER]...\n' +
  'npm run bench -- --draw bench/results/FILE.json'

/** @throws TypeError for an unknown flag, RangeError for an invalid number */
export function readFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      only: { type: 'string', default: '' },
      documents: { type: 'string', default: '10000,100000' },
    },
  })
  return {
    rounds: positive(values.rounds),
    seconds: positive(values.seconds),
    only: values.only.split(',').filter((name) => name !== ''),
    documents: values.documents
      .split(',')
      .map(positive)
      .sort((a, b) => a - b),
  }
}

/**
 * Returns null without `--smoke` and `--draw`.
 * @throws TypeError for an unknown flag
 */
export function readOtherRun(args: readonly string[]): OtherRun | null {
  if (!args.includes('--smoke') && !args.includes('--draw')) return null
  const { against = [], draw } = parseArgs({
    args: [...args],
    options: {
      smoke: { type: 'boolean' },
      against: { type: 'string', multiple: true },
      draw: { type: 'string' },
    },
  }).values
  return draw === undefined ? { kind: 'smoke', against } : { kind: 'draw', report: draw }
}

function positive(text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new RangeError(`${text} is not a whole number greater than zero`)
  return number
}
