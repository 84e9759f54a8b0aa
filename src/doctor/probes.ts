import { randomBytes } from 'node:crypto'
import { Secret } from '../common/secret.ts'
import type { Failure } from '../failures/failure.ts'
import { isRefusal } from '../upstream/failures.ts'

/** How one call to Hilos for a random id ended. */
export type Outcome = 'absent' | 'present' | Failure

export type ProbeHilos = (baseUrl: string, token: Secret) => Promise<Outcome>

export interface ProbeResults {
  /** With the current token. */
  readonly current: Outcome
  /** With a made-up token, which Hilos must refuse; if the current one got no answer, that is the outcome here, too. */
  readonly control: Outcome
  /** With the next token; null when it was not tried, because the result would say nothing about the token. */
  readonly next: Outcome | null
  /** At other documented base URLs when the configured one is wrong, up to the first that answers. */
  readonly others: readonly { readonly baseUrl: string; readonly outcome: Outcome }[]
}

export interface Tokens {
  readonly baseUrl: string
  readonly token: Secret
  readonly nextToken: Secret | null
}

/** Calls Hilos with each token, and at other base URLs when the configured one is wrong, one call after the other. */
export async function probeTokens({ baseUrl, token, nextToken }: Tokens, probe: ProbeHilos): Promise<ProbeResults> {
  const current = await probe(baseUrl, token)
  const control = hasAnswered(current) ? await probe(baseUrl, new Secret(randomBytes(20).toString('hex'))) : current
  const isNextTried = isRefusal(control) && nextToken !== null && !isSame(token, nextToken)
  const next = isNextTried ? await probe(baseUrl, nextToken) : null
  const others = isWrongAddress(current) ? await probeOthers(otherBaseUrls(baseUrl).urls, token, probe) : []
  return { current, control, next, others }
}

async function probeOthers(urls: readonly string[], token: Secret, probe: ProbeHilos): Promise<ProbeResults['others']> {
  const others: { baseUrl: string; outcome: Outcome }[] = []
  for (const baseUrl of urls) {
    const outcome = await probe(baseUrl, token)
    others.push({ baseUrl, outcome })
    if (hasAnswered(outcome)) break
  }
  return others
}

export function hasAnswered(outcome: Outcome): outcome is 'absent' | 'present' {
  return outcome === 'absent' || outcome === 'present'
}

export function isWrongAddress(outcome: Outcome): outcome is Failure {
  return !hasAnswered(outcome) && outcome.code === 'upstream_misconfigured'
}

/** Whether two tokens are the same, by their fingerprints. */
export function isSame(token: Secret, other: Secret): boolean {
  return token.fingerprint() === other.fingerprint()
}

/** The base URLs for accounts of Hilos are at this origin. Those of ActiveCampaign are at an origin per account. */
const hilosOrigin = 'https://api.hilos.io'
const hilosPaths = ['/channel/whatsapp', '/api'] as const
const accountPath = '/api/3/channel/whatsapp'
const accountOrigin = /^https:\/\/[a-z0-9-]+\.api-us1\.com$/

/**
 * The documented base URLs besides the configured one. The token is sent only to the configured origin, except that it may
 * go from one documented host of Hilos to another. Returns the URLs to try, in this order, and one that cannot be tried,
 * because the name of the account is unknown.
 */
export function otherBaseUrls(configured: string) {
  const { origin } = new URL(configured)
  const atHilos = hilosPaths.map((path) => `${hilosOrigin}${path}`)
  const isOther = (url: string) => url !== configured
  if (origin === hilosOrigin)
    return { urls: atHilos.filter(isOther), unknown: `https://ACCOUNT.api-us1.com${accountPath}` }
  const here = accountOrigin.test(origin)
    ? [`${origin}${accountPath}`, ...atHilos]
    : [...hilosPaths, accountPath].map((path) => `${origin}${path}`)
  return { urls: here.filter(isOther), unknown: null }
}
