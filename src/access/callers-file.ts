import { type CallerDraft, type CallerEntry, type Report, readEntry, readObject } from './caller-entry.ts'
import { parseJson } from './json-text.ts'

/** The callers' file, or everything that is wrong with it: a sentence each, with its position and without values. */
export type CallersFile = { readonly callers: readonly CallerEntry[] } | { readonly problems: readonly string[] }

const maxEntries = 1000
/** Of one caller. */
const maxKeys = 2
/** They go into the log and to operators, each time they ask: a file of rubbish has more of them than it has lines. */
const maxProblems = 100

/**
 * Reads the text of `CALLERS_FILE`. It counts as a whole or not at all: half a file would lock out callers in silence.
 * An empty list is nobody, and allowed: to take away the last key must work as it does for any other.
 */
export function readCallers(text: string): CallersFile {
  const problems: string[] = []
  const report: Report = (position, problem) => {
    if (problems.length < maxProblems) problems.push(`${position}: ${problem}`)
    else problems[maxProblems] = `and more than ${maxProblems} problems in all`
  }
  const value = parseJson(text, (problem) => report('the file', problem))
  const file = value === undefined ? null : readObject(value, ['callers'], 'the file', report)
  if (file === null) return { problems }

  const { callers } = file
  const list: readonly unknown[] = Array.isArray(callers) ? callers : []
  if (!Array.isArray(callers)) report('callers', 'must be an array')
  if (list.length > maxEntries) report('callers', `must not have more than ${maxEntries} entries`)

  const drafts = list.map((entry, index) => readEntry(entry, positionOf(index), report))
  reportSharedKeys(drafts, report)
  reportUnlikeNamesakes(drafts, report)
  return problems.length > 0 ? { problems } : { callers: drafts.filter(isWhole) }
}

function positionOf(index: number): string {
  return `callers[${index}]`
}

function isWhole(draft: CallerDraft): draft is CallerEntry {
  return Object.values(draft).every((part) => part !== undefined)
}

function reportSharedKeys(drafts: readonly CallerDraft[], report: Report): void {
  const holders = new Map<string, number>()
  for (const [index, { keySha256 }] of drafts.entries()) {
    if (keySha256 === undefined) continue
    const holder = holders.get(keySha256)
    if (holder === undefined) holders.set(keySha256, index)
    else report(`${positionOf(index)}.keySha256`, `is also that of ${positionOf(holder)}`)
  }
}

/** Two entries of one name are two keys of one caller, so that a key can be replaced while both are in use. */
function reportUnlikeNamesakes(drafts: readonly CallerDraft[], report: Report): void {
  const callers = new Map<string, { readonly index: number; readonly draft: CallerDraft; keys: number }>()
  for (const [index, draft] of drafts.entries()) {
    if (draft.name === undefined) continue
    const first = callers.get(draft.name)
    if (first === undefined) {
      callers.set(draft.name, { index, draft, keys: 1 })
      continue
    }
    first.keys += 1
    const [position, namesake] = [positionOf(index), positionOf(first.index)]
    if (first.keys > maxKeys) report(`${position}.name`, `is that of ${maxKeys} entries already, ${namesake} the first`)
    for (const right of ['profile', 'flows'] as const) {
      if (differ(draft[right], first.draft[right]))
        report(`${position}.${right}`, `must be as in ${namesake}, which has the same name`)
    }
  }
}

/** Whether the rights are not the same; of what could not be read, nothing is said. */
function differ(one: CallerDraft['profile' | 'flows'], other: CallerDraft['profile' | 'flows']): boolean {
  if (one === undefined || other === undefined) return false
  if (one instanceof Set && other instanceof Set)
    return one.size !== other.size || [...one].some((id) => !other.has(id))
  return one !== other
}
