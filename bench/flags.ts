import { parseArgs } from 'node:util'

/** What the command line says. */
export interface Flags {
  /** How often every subject takes its turn. */
  readonly rounds: number
  /** How long one turn takes. */
  readonly seconds: number
  /** Names of the sections to run; all of them when empty. */
  readonly only: readonly string[]
  /** How many documents the memory is measured with, ascending. */
  readonly documents: readonly number[]
}

export const usage = `npm run bench -- [--rounds 5] [--seconds 3] [--only hits,misses] [--documents 10000,100000]`

/** @throws TypeError for a flag nobody knows, RangeError for a number that is none */
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

function positive(text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new RangeError(`${text} is not a whole number above zero`)
  return number
}
