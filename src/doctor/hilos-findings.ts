import type { Failure } from '../failures/failure.ts'
import { isRefusal } from '../upstream/failures.ts'
import { sentenceOf } from './failure-sentences.ts'
import { type Finding, fail, note, ok, warn } from './findings.ts'
import { hasAnswered, isSame, isWrongAddress, otherBaseUrls, type ProbeResults, type Tokens } from './probes.ts'

/** The results of the calls to Hilos. */
export function hilosFindings(tokens: Tokens, results: ProbeResults): Finding[] {
  return [...currentFindings(tokens, results), ...nextFindings(tokens, results)]
}

function currentFindings(tokens: Tokens, { current, control, next, others }: ProbeResults): Finding[] {
  const { baseUrl } = tokens
  if (hasAnswered(current)) return [answeredFinding(tokens, current, control)]
  if (isWrongAddress(current)) return wrongAddressFindings(current, baseUrl, others)
  const sentence = sentenceOf(current, baseUrl)
  if (!isRefusal(current)) return [fail('Hilos', sentence)]
  // The service sends the next token when Hilos refuses the current one.
  return [next !== null && hasAnswered(next) ? warn('HILOS_TOKEN', sentence) : fail('HILOS_TOKEN', sentence)]
}

/** Only the refusal of a made-up token shows that the answer to ours has anything to do with it. */
function answeredFinding(
  { baseUrl, token }: Tokens,
  current: 'absent' | 'present',
  control: ProbeResults['control'],
): Finding {
  if (hasAnswered(control))
    return fail(
      'HILOS_BASE_URL',
      `A made-up token gets the same answer at ${baseUrl} as HILOS_TOKEN, so what answers there does not look at tokens, as Hilos does: correct HILOS_BASE_URL, or remove what is in between.`,
    )
  if (!isRefusal(control))
    return warn(
      'Hilos',
      `Hilos answers at ${baseUrl}, but whether it accepts the token is not known, because the call with a made-up token failed (${briefly(control)}): check again.`,
    )
  const accepted = `Hilos answers at ${baseUrl} and accepts the token with the fingerprint ${token.fingerprint()}`
  return current === 'absent'
    ? ok('Hilos', `${accepted}.`)
    : note('Hilos', `${accepted}, but it returned an execution contact for a random id, which is odd.`)
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
  if (next === null) return [note(subject, 'This token was not checked, because of the finding before.')]
  if (hasAnswered(next)) {
    const role = hasAnswered(current) ? 'too' : 'and the service uses it'
    return [ok(subject, `Hilos accepts the token with the fingerprint ${nextToken.fingerprint()}, ${role}.`)]
  }
  const sentence = sentenceOf(next, baseUrl)
  return [hasAnswered(current) ? warn(subject, sentence) : fail(subject, sentence)]
}
