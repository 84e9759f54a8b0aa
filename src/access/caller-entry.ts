import { keyPrefix } from './keys.ts'
import { type Profile, profiles } from './profile.ts'

/** One key of a caller, as in the callers file. */
export interface CallerEntry {
  readonly name: string
  /** In lower case. */
  readonly keySha256: string
  readonly profile: Profile
  /** Ids in lower case. Null means every flow, and an empty set means none. */
  readonly flows: ReadonlySet<string> | null
}

/** The valid parts of an entry. A problem was reported for each part that is undefined. */
export type CallerDraft = { readonly [Name in keyof CallerEntry]: CallerEntry[Name] | undefined }

/** Reports a problem and its position. Neither may contain a value, because a value can be a key in the wrong place. */
export type Report = (position: string, problem: string) => undefined

export function readEntry(value: unknown, position: string, report: Report): CallerDraft {
  const entry = readObject(value, entryNames, position, report)
  if (entry === null) return { name: undefined, keySha256: undefined, profile: undefined, flows: undefined }
  return {
    name: readName(entry.name, `${position}.name`, report),
    keySha256: readHash(entry.keySha256, `${position}.keySha256`, report),
    profile: readProfile(entry.profile, `${position}.profile`, report),
    flows: readFlows(entry.flows, `${position}.flows`, report),
  }
}

const entryNames = ['name', 'keySha256', 'profile', 'flows']

/** Returns the object, or null for any other value. Unknown properties are reported, because they may be misspelt. */
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
    // A name that looks misspelt is shown. Any other name may be a credential.
    const shown = /^[a-z][a-z0-9_]{0,23}$/i.test(name) && !name.startsWith(keyPrefix) ? ` ${name}` : ''
    report(position, `has an unknown property${shown}`)
  }
  return value
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const exposedKey = 'create a new key, because this one is no longer secret'

function readName(name: unknown, position: string, report: Report): string | undefined {
  if (typeof name !== 'string' || !/^[\w.@-]{1,64}$/.test(name))
    return report(position, 'must be 1 to 64 letters, digits and . _ @ -')
  if (name.includes(keyPrefix)) return report(position, `looks like a key, and names are logged: ${exposedKey}`)
  return name
}

function readHash(keySha256: unknown, position: string, report: Report): string | undefined {
  if (typeof keySha256 === 'string' && keySha256.includes(keyPrefix))
    return report(position, `looks like a key and must be its SHA-256 hash: ${exposedKey}`)
  if (typeof keySha256 !== 'string' || !/^[0-9a-f]{64}$/i.test(keySha256))
    return report(position, 'must be 64 hexadecimal digits')
  return keySha256.toLowerCase()
}

function readProfile(profile: unknown, position: string, report: Report): Profile | undefined {
  const known = profiles.find((each) => each === profile)
  return known ?? report(position, `must be one of ${profiles.join(', ')}`)
}

function readFlows(flows: unknown, position: string, report: Report): CallerEntry['flows'] | undefined {
  if (flows === undefined) return null
  if (!Array.isArray(flows))
    return report(position, 'must be an array of flow ids; without this property, the caller may see every flow')
  const ids = flows.map((flow: unknown, index) =>
    typeof flow === 'string' && uuid.test(flow)
      ? flow.toLowerCase()
      : report(`${position}[${index}]`, 'must be a UUID'),
  )
  return ids.includes(undefined) ? undefined : new Set(ids.filter((id) => id !== undefined))
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
