import type { CallerEntry } from '../access/caller-entry.ts'
import type { CountedKeys } from '../access/issuer-check.ts'
import { profiles } from '../access/profile.ts'
import type { Config } from '../config/config.ts'
import type { Failure } from '../failures/failure.ts'
import { type Finding, fail, ok, warn } from './findings.ts'

/** Who may call. That anybody may is a warning of the settings already. */
export function accessFindings({ allowAnonymous, callersFile, tokens }: Config['access']): Finding[] {
  return [
    ...(allowAnonymous ? [] : [ok('DANGEROUSLY_ALLOW_ANONYMOUS', 'Whoever sends no credential is refused.')]),
    ...(callersFile === null ? [] : [callersFinding(callersFile.entries)]),
    ...(tokens === null
      ? []
      : [ok('JWT_ISSUER', `Access tokens of ${tokens.issuer} for ${tokens.audience} are taken.`)]),
  ]
}

function callersFinding(entries: readonly CallerEntry[]): Finding {
  if (entries.length === 0) return warn('CALLERS_FILE', 'Nobody is in this file, so no caller’s key is taken.')
  // Entries of one name are keys of one caller, with the same rights.
  const callers = new Map(entries.map(({ name, profile }) => [name, profile]))
  const perProfile = profiles
    .map((profile) => ({ profile, count: [...callers.values()].filter((each) => each === profile).length }))
    .filter(({ count }) => count > 0)
    .map(({ profile, count }) => `${count} ${profile}`)
  const [people, keys] = [counted(callers.size, 'caller'), counted(entries.length, 'key')]
  return ok('CALLERS_FILE', `This file has ${people} with ${keys} in all: ${perProfile.join(', ')}.`)
}

/** What came of asking the issuer for its keys. */
export function issuerFinding(answer: CountedKeys | Failure): Finding {
  const subject = 'JWT_JWKS_URL'
  if (answer instanceof Error) return fail(subject, issuerFailure(answer.facts))
  const { published, usable } = answer
  if (usable === 0)
    return fail(
      subject,
      `The issuer publishes ${counted(published, 'key')}, but none that can be used, so every access token is refused: it needs one for RS256 (2048 bits or more), ES256 or EdDSA.`,
    )
  return ok(subject, `The issuer publishes ${counted(published, 'key')}, ${usable} of which can be used.`)
}

function issuerFailure({ reason, status }: Failure['facts']): string {
  const what = status === undefined ? reason : `status ${status}`
  const cure = 'correct JWT_JWKS_URL, or have the issuer mended, for until then no access token can be checked'
  return `The issuer’s keys could not be fetched (${what}): ${cure}.`
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
