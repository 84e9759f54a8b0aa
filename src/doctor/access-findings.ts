import type { CallerEntry } from '../access/caller-entry.ts'
import type { CountedKeys } from '../access/issuer-check.ts'
import { profiles } from '../access/profile.ts'
import type { Config } from '../config/config.ts'
import type { Failure } from '../failures/failure.ts'
import { type Finding, fail, ok, warn } from './findings.ts'

/** How callers are authenticated. When anonymous callers are allowed, the settings have a warning already. */
export function accessFindings({ allowAnonymous, callersFile, tokens }: Config['access']): Finding[] {
  return [
    ...(allowAnonymous ? [] : [ok('DANGEROUSLY_ALLOW_ANONYMOUS', 'Requests without a credential are refused.')]),
    ...(callersFile === null ? [] : [callersFinding(callersFile.entries)]),
    ...(tokens === null
      ? []
      : [ok('JWT_ISSUER', `Access tokens of ${tokens.issuer} for ${tokens.audience} are accepted.`)]),
  ]
}

function callersFinding(entries: readonly CallerEntry[]): Finding {
  if (entries.length === 0) return warn('CALLERS_FILE', 'This file has no callers, so no key is accepted.')
  // Entries with the same name are keys of one caller, with the same rights.
  const callers = new Map(entries.map(({ name, profile }) => [name, profile]))
  const perProfile = profiles
    .map((profile) => ({ profile, count: [...callers.values()].filter((each) => each === profile).length }))
    .filter(({ count }) => count > 0)
    .map(({ profile, count }) => `${count} ${profile}`)
  const [callerCount, keyCount] = [counted(callers.size, 'caller'), counted(entries.length, 'key')]
  return ok('CALLERS_FILE', `This file has ${callerCount} with ${keyCount} in all: ${perProfile.join(', ')}.`)
}

/** The result of fetching the keys of the token issuer. */
export function issuerFinding(result: CountedKeys | Failure): Finding {
  const subject = 'JWT_JWKS_URL'
  if (result instanceof Error) return fail(subject, failureSentence(result.facts))
  const { published, usable } = result
  if (usable === 0)
    return fail(
      subject,
      `The token issuer publishes ${counted(published, 'key')}, but none that can be used, so every access token is refused: a key for RS256 (2048 bits or more), ES256 or EdDSA is needed.`,
    )
  return ok(subject, `The token issuer publishes ${counted(published, 'key')}, ${usable} of which can be used.`)
}

function failureSentence({ reason, status }: Failure['facts']): string {
  const what = status === undefined ? reason : `status ${status}`
  return `The keys of the token issuer could not be fetched (${what}): correct JWT_JWKS_URL or repair the issuer, because no access token can be verified until then.`
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
