/** The texts and values of one kind of failure, for callers. They never contain text from upstream. */
export interface FailureKind {
  readonly status: number
  /** It is the same for every occurrence (RFC 9457 section 3.1.3). */
  readonly title: string
  /** What happened. */
  readonly detail: string
  /** What to do about it. */
  readonly advice: string
  /** Seconds after which the same request can succeed without any other change; undefined if waiting does not help. */
  readonly retryAfterSeconds?: number
}

/** All failures that callers can get, by their stable `code`. The problem bodies, their pages and the OpenAPI document use these texts. */
export const failureKinds = {
  invalid_id: {
    status: 400,
    title: 'The id is not a UUID',
    detail: 'The id is not a UUID in the form of RFC 9562.',
    advice:
      'Send the id of a flow execution contact, for example a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1. Upper and lower case are equivalent.',
  },
  invalid_query: {
    status: 400,
    title: 'The query is not valid',
    detail: 'A query parameter is unknown, is repeated, or has a value that is not allowed.',
    advice:
      'Use only view (summary, timeline or transcript) and profile (viewer, agent or full), and for several contacts ids, each at most once. Send a credential in the Authorization header, never in the query.',
  },
  too_many_ids: {
    status: 400,
    title: 'Too many ids',
    detail: 'The request has more ids than one request may have.',
    advice: 'Ask for the others in another request.',
  },
  malformed_request: {
    status: 400,
    title: 'The request is not well-formed',
    detail: 'The request could not be read as HTTP, or its target, its Host or its Authorization header is not valid.',
    advice:
      'Check the client and everything between it and this service. Usual causes are a URL that is not percent-encoded, a proxy, or a hand-written HTTP client.',
  },
  unauthenticated: {
    status: 401,
    title: 'No valid credential',
    detail: 'The request carries no credential, or one that is unknown, expired or not meant for this service.',
    advice:
      'Send Authorization: Bearer with a caller’s key or with an access token of the issuer that this service trusts. Operators who delete from the cache send ADMIN_TOKEN instead. The WWW-Authenticate header says more.',
  },
  forbidden: {
    status: 403,
    title: 'The credential does not allow this',
    detail: 'The credential is valid, but it does not allow this request.',
    advice:
      'Do not ask for a wider profile than your own. An access token needs one of the scopes that the WWW-Authenticate header names.',
  },
  foreign_request: {
    status: 403,
    title: 'The request may come from another site',
    detail: 'The request names a host that is not one of this listener, or a page of another site has sent it.',
    advice:
      'For operators: call localhost, the address of the listener itself, or a name in ADMIN_ALLOWED_HOSTS, from a program. In a browser, type the address instead of following a link.',
  },
  execution_contact_not_found: {
    status: 404,
    title: 'There is no such execution contact',
    detail: 'Hilos has no flow execution contact with this id.',
    advice:
      'Check the id. A contact that has just entered a flow can take a moment to appear, and this answer is cached for about ten seconds.',
  },
  route_not_found: {
    status: 404,
    title: 'There is nothing at this path',
    detail: 'This service has no such path.',
    advice: 'The page at / leads to what this service has.',
  },
  method_not_allowed: {
    status: 405,
    title: 'The method is not allowed here',
    detail: 'The path exists, but it does not support this method.',
    advice: 'Use one of the methods in the Allow header.',
  },
  not_acceptable: {
    status: 406,
    title: 'No acceptable representation',
    detail: 'The Accept header excludes the only format of this path.',
    advice: 'Send Accept: application/json, for a stream Accept: text/event-stream, or no Accept header.',
  },
  request_timeout: {
    status: 408,
    title: 'The request took too long to arrive',
    detail: 'The request was not complete within the time limit.',
    advice: 'Send it again, on a new connection.',
    retryAfterSeconds: 1,
  },
  precondition_failed: {
    status: 412,
    title: 'The representation has another entity tag',
    detail: 'None of the entity tags in If-Match is that of the representation that this request selects.',
    advice:
      'Send the ETag of the last answer with the same view, profile and Accept-Encoding, without W/, or no If-Match. To get a 304 for an unchanged run, send If-None-Match.',
  },
  uri_too_long: {
    status: 414,
    title: 'The request target is too long',
    detail: 'The path and the query are longer than this service accepts.',
    advice: 'No request to this service needs a long URL. Check whether a wrong value got into the path or the query.',
  },
  caller_rate_limited: {
    status: 429,
    title: 'Too many requests',
    detail:
      'This caller, or this address with invalid credentials or none, has sent more requests than the limit allows.',
    advice:
      'Wait for the seconds in Retry-After. RateLimit-Policy says how many requests are allowed, RateLimit how many are left.',
    retryAfterSeconds: 1,
  },
  too_many_streams: {
    status: 429,
    title: 'Too many streams',
    detail: 'This caller has as many streams and held requests open as the limit allows.',
    advice:
      'Close the streams of pages that are hidden or gone. Only the operators can raise the limit, with CALLER_MAX_STREAMS.',
    retryAfterSeconds: 5,
  },
  headers_too_large: {
    status: 431,
    title: 'The request headers are too large',
    detail: 'The request line and the headers together are larger than this service accepts.',
    advice: 'Send fewer or smaller headers. Cookies of other sites on the same host are the usual cause.',
  },
  internal_error: {
    status: 500,
    title: 'Internal error',
    detail: 'This service failed because of an unexpected error.',
    advice: 'Report the requestId to the operators. They find the error in the log.',
  },
  upstream_unauthorized: {
    status: 502,
    title: 'Hilos did not accept the credentials of this service',
    detail:
      'Hilos answered that the credentials of this service are not valid. Your own credentials are not the problem.',
    advice: 'Only the operators can fix this: the Hilos API key is wrong, revoked or expired.',
  },
  upstream_forbidden: {
    status: 502,
    title: 'Hilos refused access to this service',
    detail: 'Hilos answered that this service may not read the execution contact. Your own rights are not the problem.',
    advice: 'Only the operators can fix this: the Hilos API key lacks a right, or it belongs to another account.',
  },
  upstream_error: {
    status: 502,
    title: 'Hilos answered with an error',
    detail: 'Hilos answered with a status that means neither success nor a refusal.',
    advice: 'Try again in a moment. If the problem persists, Hilos has an error or has changed its API.',
    retryAfterSeconds: 2,
  },
  upstream_invalid_response: {
    status: 502,
    title: 'The answer of Hilos is not valid',
    detail: 'Hilos answered, but not with a complete and valid document about this execution contact.',
    advice: 'Try again in a moment. If the problem persists, tell the operators: Hilos has probably changed its API.',
    retryAfterSeconds: 2,
  },
  upstream_redirect: {
    status: 502,
    title: 'Hilos answered with a redirect',
    detail: 'This service does not follow redirects, because it would send the API key along.',
    advice: 'Only the operators can fix this: HILOS_BASE_URL is probably an old or incomplete address.',
  },
  upstream_too_large: {
    status: 502,
    title: 'The document of Hilos is too large',
    detail: 'The document is larger than the limits of this service allow.',
    advice:
      'Only the operators can fix this: they can raise HILOS_MAX_BODY_BYTES. The limit of 10,000 steps and messages is fixed.',
  },
  upstream_misconfigured: {
    status: 502,
    title: 'Something other than Hilos answered',
    detail:
      'The answer is that of a gateway, a proxy or a login page, or Hilos has no such route. So this service cannot say whether the execution contact exists.',
    advice:
      'Try again in a moment, because a gateway can lose its routes during a deployment. If the problem persists, only the operators can fix this: HILOS_BASE_URL does not fit the account, or something in between answers instead of Hilos.',
    retryAfterSeconds: 5,
  },
  upstream_untrusted: {
    status: 502,
    title: 'The certificate of Hilos is not trusted',
    detail: 'The certificate at the address of Hilos is not trusted, so this service sent nothing to it.',
    advice:
      'Only the operators can fix this. Possible causes are an expired certificate, a proxy in between, or a wrong HILOS_BASE_URL.',
  },
  upstream_unavailable: {
    status: 503,
    title: 'Hilos could not be reached',
    detail:
      'The connection to Hilos failed before an answer came, Hilos did not take the request or is out of service, or the circuit breaker is open after many failures.',
    advice: 'Try again in a moment.',
    retryAfterSeconds: 2,
  },
  upstream_rate_limited: {
    status: 503,
    title: 'Hilos asks for a pause',
    detail:
      'Hilos asked this service to make no calls for a while: its rate limit is reached, or it is out of service.',
    advice: 'Wait for the seconds in Retry-After, then try again.',
    retryAfterSeconds: 2,
  },
  overloaded: {
    status: 503,
    title: 'This service is overloaded',
    detail:
      'The call to Hilos got no slot of the rate limiter in time, or this service is short of CPU time or memory.',
    advice:
      'Wait for the seconds in Retry-After, then try again. If the problem persists, Hilos is slow, HILOS_MAX_RPS is too low for the contacts that callers watch, or the service needs more replicas.',
    retryAfterSeconds: 2,
  },
  token_issuer_unavailable: {
    status: 503,
    title: 'The access token cannot be checked now',
    detail:
      'The issuer of access tokens cannot be reached, and this service does not have the key that the token names.',
    advice: 'Try again in a moment. Tokens that are signed with a known key still work.',
    retryAfterSeconds: 5,
  },
  shared_tier_unavailable: {
    status: 503,
    title: 'Other replicas may not have forgotten it',
    detail: 'This replica has deleted what it was asked to, but could not make sure that all other replicas have.',
    advice:
      'For operators: send the request again until the answer is 204. Repeating it is harmless. If the problem persists, parts.sharedTier in /readyz says what is wrong.',
    retryAfterSeconds: 2,
  },
  upstream_timeout: {
    status: 504,
    title: 'Hilos did not answer in time',
    detail: 'Hilos did not give a complete answer within the time limit.',
    advice: 'Try again in a moment.',
    retryAfterSeconds: 2,
  },
  not_cached: {
    status: 504,
    title: 'No cached answer is usable',
    detail: 'The request says only-if-cached, and the cache has no answer that is fresh enough.',
    advice: 'Remove only-if-cached from the Cache-Control header of the request.',
  },
} as const satisfies Record<string, FailureKind>

/** The stable name of a kind of failure, for programs to branch on. */
export type FailureCode = keyof typeof failureKinds
export const failureCodes = Object.keys(failureKinds) as readonly FailureCode[]

export function isFailureCode(text: string): text is FailureCode {
  return Object.hasOwn(failureKinds, text)
}
