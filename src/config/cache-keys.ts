import { type Report, readObject } from '../access/caller-entry.ts'
import { parseJson } from '../access/json-text.ts'
import { Secret } from '../common/secret.ts'

/** The keys of the shared tier, as texts in base64 of 32 bytes each. */
export interface CacheKeys {
  readonly names: Secret
  /** The first one seals, all open. */
  readonly seal: readonly { readonly id: number; readonly key: Secret }[]
}

/** The content of the file of the keys, or all its problems: one sentence each, with its position and without values. */
export type CacheKeyFile = { readonly keys: CacheKeys } | { readonly problems: readonly string[] }

/** What is sealed has the id of its key in one byte. */
const largestId = 255
/** A rotation needs two. */
const mostKeys = 16

/** Parses the file of the keys. A file with a problem is invalid as a whole. */
export function parseCacheKeys(text: string): CacheKeyFile {
  const problems: string[] = []
  const report: Report = (position, problem) => void problems.push(`${position}: ${problem}`)
  const value = parseJson(text, (problem) => report('the file', problem))
  const file = value === undefined ? null : readObject(value, ['names', 'seal'], 'the file', report)
  if (file === null) return { problems }

  const names = readKey(file.names, 'names', report)
  const list: readonly unknown[] = Array.isArray(file.seal) ? file.seal : []
  if (list.length < 1 || list.length > mostKeys) report('seal', `must be an array of 1 to ${mostKeys} keys`)
  const seal = list.slice(0, mostKeys).map((each, index) => readSealingKey(each, `seal[${index}]`, report))
  reportSame(new Map(seal.map((each, index) => [`seal[${index}].id`, each?.id])), report)
  const keys = seal.map((each, index) => [`seal[${index}].key`, each?.key?.reveal()] as const)
  reportSame(new Map([['names', names?.reveal()], ...keys]), report)
  return problems.length > 0 ? { problems } : { keys: { names, seal } as CacheKeys }
}

function readSealingKey(value: unknown, position: string, report: Report) {
  const entry = readObject(value, ['id', 'key'], position, report)
  return entry && { id: readId(entry.id, `${position}.id`, report), key: readKey(entry.key, `${position}.key`, report) }
}

function readId(id: unknown, position: string, report: Report): number | undefined {
  const isId = typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= largestId
  return isId ? id : report(position, `must be a whole number from 0 to ${largestId}`)
}

/** 32 bytes in base64, with the one spelling that `openssl rand -base64 32` has. */
function readKey(key: unknown, position: string, report: Report): Secret | undefined {
  const bytes = Buffer.from(typeof key === 'string' ? key : '', 'base64')
  const isKey = bytes.length === 32 && bytes.toString('base64') === key
  return isKey ? new Secret(key) : report(position, 'must be 32 bytes in base64 (44 characters)')
}

function reportSame(values: ReadonlyMap<string, unknown>, report: Report): void {
  const first = new Map<unknown, string>()
  for (const [position, value] of values) {
    if (value === undefined) continue
    const other = first.get(value)
    if (other === undefined) first.set(value, position)
    else report(position, `is the same as ${other}`)
  }
}
