import type { Secret } from '../common/secret.ts'
import type { Failure } from '../failures/failure.ts'
import { otherBaseUrls } from './base-urls.ts'

/** How one question to Hilos about a made-up id ended. */
export type Outcome = 'absent' | 'present' | Failure

export type AskHilos = (baseUrl: string, token: Secret) => Promise<Outcome>

/** What came of asking Hilos. */
export interface Consultation {
  readonly current: Outcome
  /** Of the next token, asked for by itself; null where that would say nothing about it. */
  readonly next: Outcome | null
  /** At the other documented addresses, where the configured one is wrong: up to the first that answers. */
  readonly others: readonly { readonly baseUrl: string; readonly outcome: Outcome }[]
}

export interface Tokens {
  readonly baseUrl: string
  readonly token: Secret
  readonly nextToken: Secret | null
}

/** Asks with each token, and at other addresses when the configured one turns out to be wrong; one question at a time. */
export async function consultHilos({ baseUrl, token, nextToken }: Tokens, ask: AskHilos): Promise<Consultation> {
  const current = await ask(baseUrl, token)
  const isReached = hasAnswered(current) || isRefusal(current)
  const next = isReached && nextToken !== null && !isSame(token, nextToken) ? await ask(baseUrl, nextToken) : null
  const others = isWrongAddress(current) ? await askElsewhere(otherBaseUrls(baseUrl).urls, token, ask) : []
  return { current, next, others }
}

async function askElsewhere(urls: readonly string[], token: Secret, ask: AskHilos): Promise<Consultation['others']> {
  const others: { baseUrl: string; outcome: Outcome }[] = []
  for (const baseUrl of urls) {
    const outcome = await ask(baseUrl, token)
    others.push({ baseUrl, outcome })
    if (hasAnswered(outcome)) break
  }
  return others
}

export function hasAnswered(outcome: Outcome): outcome is 'absent' | 'present' {
  return outcome === 'absent' || outcome === 'present'
}

export function isRefusal(outcome: Outcome): outcome is Failure {
  return !hasAnswered(outcome) && (outcome.code === 'upstream_unauthorized' || outcome.code === 'upstream_forbidden')
}

export function isWrongAddress(outcome: Outcome): outcome is Failure {
  return !hasAnswered(outcome) && outcome.code === 'upstream_misconfigured'
}

/** By the digits that are printed: nobody gives two tokens that differ in all but these. */
export function isSame(token: Secret, other: Secret): boolean {
  return token.fingerprint() === other.fingerprint()
}
