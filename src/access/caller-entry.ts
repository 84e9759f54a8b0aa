import { keyPrefix } from './keys.ts'
import { type Profile, profiles } from './profile.ts'

/** One key of a caller, as the callers' file has it. */
export interface CallerEntry {
  readonly name: string
  /** In lower case. */
  readonly keySha256: string
  readonly profile: Profile
  /** Ids in lower case; null is every flow, an empty set is none. */
  readonly flows: ReadonlySet<string> | null
}

/** An entry as far as it could be read; what is undefined has been reported. */
export type CallerDraft = { readonly [Name in keyof CallerEntry]: CallerEntry[Name] | undefined }

/** Told what is wrong and where. Neither may hold a value: it can be a key that somebody put in the wrong place. */
export type Report = (position: string, problem: string) => void

export function readEntry(value: unknown, position: string, report: Report): CallerDraft {
  const entry = readObject(value, entryNames, position, report)
  if (entry === null) return { name: undefined, keySha256: undefined, profile: undefined, flows: undefined }
  return {
    name: readName(entry.name, (problem) => report(`${position}.name`, problem)),
    keySha256: readHash(entry.keySha256, (problem) => report(`${position}.keySha256`, problem)),
    profile: readProfile(entry.profile, (problem) => report(`${position}.profile`, problem)),
    flows: readFlows(entry.flows, `${position}.flows`, report),
  }
}

const entryNames = ['name', 'keySha256', 'profile', 'flows']

/** The object; null for what is none. Properties it should not have are reported: an optional one misspelt says nothing. */
export function readObject(
  value: unknown,
  names: readonly string[],
  position: string,
  report: Report,
): Readonly<Record<string, unknown>> | null {
  if (!isObject(value)) {
    report(position, 'must be an object')
    return null
  }
  for (const name of Object.keys(value)) {
    if (names.includes(name)) continue
    // A typing error is worth showing; something else may be a credential.
    const shown = /^[a-z][a-z0-9_]{0,23}$/i.test(name) && !name.startsWith(keyPrefix) ? ` ${name}` : ''
    report(position, `has an unknown property${shown}`)
  }
  return value
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readName(name: unknown, report: (problem: string) => void): string | undefined {
  if (typeof name !== 'string' || !/^[\w.@-]{1,64}$/.test(name)) {
    report('must be 1 to 64 letters, digits and . _ @ -')
    return undefined
  }
  if (name.includes(keyPrefix)) {
    report('looks like a key, and names are logged: make a new key, this one has been seen')
    return undefined
  }
  return name
}

function readHash(keySha256: unknown, report: (problem: string) => void): string | undefined {
  if (typeof keySha256 === 'string' && /^[0-9a-f]{64}$/i.test(keySha256)) return keySha256.toLowerCase()
  const pasted = typeof keySha256 === 'string' && keySha256.includes(keyPrefix)
  report(
    pasted
      ? 'looks like a key and must be its SHA-256 hash: make a new key, this one has been seen'
      : 'must be 64 hexadecimal digits',
  )
  return undefined
}

function readProfile(profile: unknown, report: (problem: string) => void): Profile | undefined {
  const known = profiles.find((one) => one === profile)
  if (known === undefined) report(`must be one of ${profiles.join(', ')}`)
  return known
}

function readFlows(flows: unknown, position: string, report: Report): CallerEntry['flows'] | undefined {
  if (flows === undefined) return null
  if (!Array.isArray(flows)) {
    report(position, 'must be an array of flow ids; without it, every flow is meant')
    return undefined
  }
  const ids = flows.map((flow: unknown, index) => {
    if (typeof flow === 'string' && uuid.test(flow)) return flow.toLowerCase()
    report(`${position}[${index}]`, 'must be a UUID')
    return undefined
  })
  return ids.includes(undefined) ? undefined : new Set(ids.filter((id) => id !== undefined))
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
