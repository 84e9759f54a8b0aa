import { type CallerDraft, type CallerEntry, type Report, readEntry, readObject } from './caller-entry.ts'
import { parseJson } from './json-text.ts'

/** The content of the callers file, or all its problems: one sentence each, with its position and without values. */
export type CallersFile = { readonly callers: readonly CallerEntry[] } | { readonly problems: readonly string[] }

const maxEntries = 1000
/** Keys of one caller. */
const maxKeys = 2
/** The problems are logged, and shown to operators at each request. An invalid file can have more problems than lines. */
const maxProblems = 100

/**
 * Parses the callers file. A file with a problem is invalid as a whole, because part of a file would lock out callers
 * without a message. An empty list is valid, so that the last key can be revoked like any other.
 */
export function parseCallers(text: string): CallersFile {
  const problems: string[] = []
  const report: Report = (position, problem) => {
    if (problems.length < maxProblems) problems.push(`${position}: ${problem}`)
    else problems[maxProblems] = `the file: has more than ${maxProblems} problems`
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
  reportNameConflicts(drafts, report)
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
    else report(`${positionOf(index)}.keySha256`, `is the same as in ${positionOf(holder)}`)
  }
}

/**
 * Entries with the same name are keys of one caller, so they must have the same rights. Two keys are allowed, so that a key
 * can be replaced while both are in use.
 */
function reportNameConflicts(drafts: readonly CallerDraft[], report: Report): void {
  const callers = new Map<string, { readonly index: number; readonly draft: CallerDraft; keys: number }>()
  for (const [index, draft] of drafts.entries()) {
    if (draft.name === undefined) continue
    const first = callers.get(draft.name) ?? { index, draft, keys: 0 }
    callers.set(draft.name, first)
    first.keys += 1
    const [position, firstPosition] = [positionOf(index), positionOf(first.index)]
    if (first.keys > maxKeys)
      report(`${position}.name`, `is already the name of ${maxKeys} entries, the first is ${firstPosition}`)
    for (const right of ['profile', 'flows'] as const) {
      if (differ(draft[right], first.draft[right]))
        report(`${position}.${right}`, `must be as in ${firstPosition}, which has the same name`)
    }
  }
}

/** Whether two rights differ. Rights that are invalid, and so undefined, do not count as different. */
function differ(one: CallerDraft['profile' | 'flows'], other: CallerDraft['profile' | 'flows']): boolean {
  if (one === undefined || other === undefined) return false
  if (one instanceof Set && other instanceof Set)
    return one.size !== other.size || [...one].some((id) => !other.has(id))
  return one !== other
}
