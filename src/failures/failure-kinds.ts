/** What is told to a caller about one kind of failure. All of it is our own text, none of it upstream's. */
export interface FailureKind {
  /** HTTP status. */
  readonly status: number
  /** The same for every occurrence (RFC 9457 section 3.1.3). */
  readonly title: string
  /** What happened, for the person reading it. */
  readonly detail: string
  /** What to do about it. */
  readonly advice: string
  /** Whether the identical request can succeed later without anybody changing anything. */
  readonly retryable: boolean
  /** Seconds to wait before trying again; null where waiting is not the cure. */
  readonly retryAfterSeconds: number | null
}

const final = { retryable: false, retryAfterSeconds: null } as const
const retryableAfter = (seconds: number) => ({ retryable: true, retryAfterSeconds: seconds }) as const

/** Every failure a caller can meet, by its stable `code`. The problem body, its page and the OpenAPI document are made from this table. */
export const failureKinds = {
  invalid_id: {
    status: 400,
    title: 'The id is not a UUID',
    detail: 'The id in the path is not a UUID as RFC 9562 writes it.',
    advice:
      'Send the id of a flow execution contact, for example a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1. Upper and lower case are the same.',
    ...final,
  },
  invalid_query: {
    status: 400,
    title: 'The query is not understood',
    detail: 'A query parameter is unknown, repeated, or has a value that is not offered.',
    advice:
      'There are view (summary, timeline or transcript) and profile (viewer, agent or full), each once at most. A credential belongs in the Authorization header.',
    ...final,
  },
  malformed_request: {
    status: 400,
    title: 'The request is not well-formed',
    detail: 'The request could not be read as HTTP, or its target, its Host or its Authorization header is not valid.',
    advice:
      'Look at what lies between the program and this service: a URL that is not percent-encoded, a proxy, a hand-written client.',
    ...final,
  },
  unauthenticated: {
    status: 401,
    title: 'No valid credential',
    detail: 'The request carries no credential, or one that is unknown, expired or not meant for this service.',
    advice:
      'Send Authorization: Bearer with a caller’s key or an access token of the issuer this service trusts. WWW-Authenticate says more.',
    ...final,
  },
  forbidden: {
    status: 403,
    title: 'The credential does not allow this',
    detail: 'The credential is valid, but does not allow what was asked for.',
    advice:
      'Ask for no wider profile than your own; an access token needs one of the scopes that WWW-Authenticate names.',
    ...final,
  },
  execution_contact_not_found: {
    status: 404,
    title: 'There is no such execution contact',
    detail: 'Hilos knows no flow execution contact with this id.',
    advice:
      'Check the id. A contact that has just entered a flow can take a moment to appear; this answer is remembered for about ten seconds.',
    ...final,
  },
  route_not_found: {
    status: 404,
    title: 'There is nothing at this path',
    detail: 'This service has no such path.',
    advice: 'Look at /docs for what there is.',
    ...final,
  },
  method_not_allowed: {
    status: 405,
    title: 'The method is not allowed here',
    detail: 'The path exists, but not for this method.',
    advice: 'Use one of the methods in the Allow header.',
    ...final,
  },
  not_acceptable: {
    status: 406,
    title: 'No acceptable representation',
    detail: 'The Accept header leaves out application/json, the only format there is.',
    advice: 'Send Accept: application/json, or no Accept header.',
    ...final,
  },
  request_timeout: {
    status: 408,
    title: 'The request took too long to arrive',
    detail: 'The request was not complete within the time allowed for sending it.',
    advice: 'Send it again, on a new connection.',
    ...retryableAfter(1),
  },
  uri_too_long: {
    status: 414,
    title: 'The request target is too long',
    detail: 'The path and query are longer than this service reads.',
    advice: 'Nothing offered here needs a long URL. Look for a value pasted into the path or the query.',
    ...final,
  },
  caller_rate_limited: {
    status: 429,
    title: 'Too many requests',
    detail: 'This caller, or this address with credentials that are not valid, sends more requests than are answered.',
    advice:
      'Wait for the seconds in Retry-After. RateLimit-Policy and RateLimit say how many requests there are and are left.',
    ...retryableAfter(1),
  },
  headers_too_large: {
    status: 431,
    title: 'The request headers are too large',
    detail: 'The request line and headers together are larger than this service reads.',
    advice: 'Send fewer or smaller headers; cookies of other sites on the same host are the usual cause.',
    ...final,
  },
  internal_error: {
    status: 500,
    title: 'This service made a mistake',
    detail: 'Something failed in this service that should not have.',
    advice: 'Tell its operators the requestId; the log has the rest.',
    ...final,
  },
  upstream_unauthorized: {
    status: 502,
    title: 'Hilos did not accept this service',
    detail: 'Hilos answered that the credentials of this service are not valid. Yours are not in question.',
    advice: 'Only the operators can mend this: the Hilos API key is wrong, revoked or expired.',
    ...final,
  },
  upstream_forbidden: {
    status: 502,
    title: 'Hilos refused this service',
    detail: 'Hilos answered that this service may not read this. Your own rights are not in question.',
    advice: 'Only the operators can mend this: the Hilos API key lacks a right, or belongs to another account.',
    ...final,
  },
  upstream_error: {
    status: 502,
    title: 'Hilos answered with an error',
    detail: 'Hilos answered with a status that is neither an answer nor a refusal.',
    advice: 'Try again in a moment. If it stays, Hilos has a problem or the contract has changed.',
    ...retryableAfter(2),
  },
  upstream_invalid_response: {
    status: 502,
    title: 'The answer of Hilos could not be read',
    detail: 'Hilos answered, but not with a whole and readable document about this execution contact.',
    advice: 'Try again in a moment. If it stays, tell the operators: what Hilos answers has changed.',
    ...retryableAfter(2),
  },
  upstream_redirect: {
    status: 502,
    title: 'Hilos answered with a redirect',
    detail: 'Redirects are never followed: the API key would travel with them.',
    advice: 'Only the operators can mend this: HILOS_BASE_URL probably points at an old or incomplete address.',
    ...final,
  },
  upstream_too_large: {
    status: 502,
    title: 'The document of Hilos is too large',
    detail: 'Hilos answered with more than this service is set to read.',
    advice: 'Only the operators can mend this: HILOS_MAX_BODY_BYTES can be raised; 10,000 steps and messages is fixed.',
    ...final,
  },
  upstream_misconfigured: {
    status: 502,
    title: 'This service asks Hilos at the wrong address',
    detail: 'Hilos has no such route, so nothing can be said about the execution contact.',
    advice: 'Only the operators can mend this: HILOS_BASE_URL does not fit the account.',
    ...final,
  },
  upstream_untrusted: {
    status: 502,
    title: 'Hilos could not prove who it is',
    detail: 'The certificate at the address of Hilos is not trusted, so nothing was sent to it.',
    advice: 'Only the operators can mend this: an expired certificate, a proxy in between, or a wrong HILOS_BASE_URL.',
    ...final,
  },
  upstream_unavailable: {
    status: 503,
    title: 'Hilos could not be reached',
    detail:
      'The connection to Hilos failed before an answer came, Hilos says that it is out of service, or so much failed that no call is made for a moment.',
    advice: 'Try again in a moment.',
    ...retryableAfter(2),
  },
  upstream_rate_limited: {
    status: 503,
    title: 'Hilos asks for a pause',
    detail: 'Hilos asked to be left alone for a while: its limit is reached, or it is out of service.',
    advice: 'Wait for the seconds in Retry-After and try again.',
    ...retryableAfter(2),
  },
  overloaded: {
    status: 503,
    title: 'More is asked than can be answered now',
    detail:
      'More calls to Hilos are wanted than may be made, and this one did not get its turn in time; or this service is itself short of time or memory.',
    advice:
      'Wait for the seconds in Retry-After and try again. If it stays, Hilos is slow, HILOS_MAX_RPS is too low for what is watched, or there should be more of this service.',
    ...retryableAfter(2),
  },
  token_issuer_unavailable: {
    status: 503,
    title: 'The access token cannot be checked now',
    detail: 'The issuer of access tokens cannot be reached, and the key that this token names is not known yet.',
    advice: 'Try again in a moment. Tokens signed with a key that is known go on working.',
    ...retryableAfter(5),
  },
  upstream_timeout: {
    status: 504,
    title: 'Hilos did not answer in time',
    detail: 'Hilos did not give a whole answer within the time set for it.',
    advice: 'Try again in a moment.',
    ...retryableAfter(2),
  },
  not_cached: {
    status: 504,
    title: 'Nothing is remembered, and asking was forbidden',
    detail: 'The request says only-if-cached, and nothing is remembered that is fresh enough for it.',
    advice: 'Leave only-if-cached out of the Cache-Control of the request.',
    ...final,
  },
} as const satisfies Record<string, FailureKind>

/** The stable name of a failure, for programs to branch on. */
export type FailureCode = keyof typeof failureKinds

export function isFailureCode(text: string): text is FailureCode {
  return Object.hasOwn(failureKinds, text)
}
