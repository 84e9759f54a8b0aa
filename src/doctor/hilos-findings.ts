import type { Secret } from '../common/secret.ts'
import type { Failure } from '../failures/failure.ts'
import { sentenceOf } from './failure-sentences.ts'
import { type Finding, fail, note, ok, warn } from './findings.ts'
import {
  hasAnswered,
  isRefusal,
  isSame,
  isWrongAddress,
  otherBaseUrls,
  type ProbeResults,
  type Tokens,
} from './probes.ts'

/** The results of the calls to Hilos. */
export function hilosFindings(tokens: Tokens, results: ProbeResults): Finding[] {
  return [...currentFindings(tokens, results), ...nextFindings(tokens, results)]
}

function currentFindings({ baseUrl, token }: Tokens, { current, next, others }: ProbeResults): Finding[] {
  if (hasAnswered(current)) return [answeredFinding(baseUrl, token, current)]
  if (isWrongAddress(current)) return wrongAddressFindings(current, baseUrl, others)
  const sentence = sentenceOf(current, baseUrl)
  if (!isRefusal(current)) return [fail('Hilos', sentence)]
  // The service sends the next token when Hilos refuses the current one.
  return [next !== null && hasAnswered(next) ? warn('HILOS_TOKEN', sentence) : fail('HILOS_TOKEN', sentence)]
}

function answeredFinding(baseUrl: string, token: Secret, outcome: 'absent' | 'present'): Finding {
  const answered = `Hilos answers at ${baseUrl} and accepts the token with the fingerprint ${token.fingerprint()}`
  return outcome === 'absent'
    ? ok('Hilos', `${answered}.`)
    : note('Hilos', `${answered}, but it returned an execution contact for a random id, which is odd.`)
}

function wrongAddressFindings(failure: Failure, baseUrl: string, others: ProbeResults['others']): Finding[] {
  const subject = 'HILOS_BASE_URL'
  const wrong = sentenceOf(failure, baseUrl).slice(0, -1)
  const right = others.find(({ outcome }) => hasAnswered(outcome))
  const tried = others.flatMap((other) =>
    hasAnswered(other.outcome) ? [] : [`${other.baseUrl} (${briefly(other.outcome)})`],
  )
  if (right) return [fail(subject, `${wrong}: ${right.baseUrl} answers, so set it to that.`)]
  const { unknown } = otherBaseUrls(baseUrl)
  return [
    fail(
      subject,
      `${wrong}, and Hilos was not found at ${tried.join(' or ')}: ask Hilos for the base URL of your account.`,
    ),
    ...(unknown === null ? [] : [note(subject, `${unknown} was not tried, because ACCOUNT is unknown.`)]),
  ]
}

function briefly({ code, facts: { upstreamStatus, reason = code } }: Failure): string {
  return upstreamStatus === undefined ? String(reason) : `status ${upstreamStatus}`
}

function nextFindings({ baseUrl, token, nextToken }: Tokens, { current, next }: ProbeResults): Finding[] {
  const subject = 'HILOS_TOKEN_NEXT'
  if (nextToken === null) return []
  if (isSame(token, nextToken)) return [warn(subject, 'This is the same token as HILOS_TOKEN.')]
  if (next === null) return [note(subject, 'This token was not checked, because the call with HILOS_TOKEN failed.')]
  if (hasAnswered(next)) {
    const role = hasAnswered(current) ? 'too' : 'and the service uses it'
    return [ok(subject, `Hilos accepts the token with the fingerprint ${nextToken.fingerprint()}, ${role}.`)]
  }
  const sentence = sentenceOf(next, baseUrl)
  return [hasAnswered(current) ? warn(subject, sentence) : fail(subject, sentence)]
}
