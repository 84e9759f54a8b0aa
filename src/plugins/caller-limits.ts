import { isIPv4 } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { AccessFailure } from '../access/access-failure.ts'
import type { Clock } from '../common/clock.ts'
import type { Config } from '../config/config.ts'
import { Failure } from '../failures/failure.ts'
import { callerOf } from './caller-auth.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route has the guard of `authenticateCallers`; false by default. */
    readonly isGuarded?: boolean
    /** As how many requests a request counts, from 1 to the limit; 1 by default. It is called before the query is validated. */
    readonly requestsOf?: (request: FastifyRequest) => number
  }
}

export interface CallerLimitsOptions extends Pick<Config['access'], 'maxRequestsPerSecond' | 'guesses' | 'strangers'> {
  /** Most callers and addresses that are counted at once, in each of the three limits. The one seen longest ago is dropped first. */
  readonly maxCounted: number
  readonly clock: Pick<Clock, 'elapsed'>
}

/** Limits the requests of callers and of addresses. */
export function limitCallers(app: FastifyInstance, options: CallerLimitsOptions) {
  const { maxRequestsPerSecond: max, guesses, strangers } = options
  const countOf = createWindows({ max, windowMs: 1000 }, options)
  const countOfGuesses = createWindows(guesses, options)
  const countOfStrangers = createWindows(strangers, options)
  const policy = `"caller";q=${max};w=1`

  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.isGuarded) done()
    else done(countStranger(request, reply))
  })

  /**
   * Counts a request of a caller, and sets `RateLimit-Policy` and `RateLimit` to what is left
   * (draft-ietf-httpapi-ratelimit-headers).
   */
  function countRequest(request: FastifyRequest, reply: FastifyReply, done: (failure?: Failure) => void) {
    if (max === 0) return done()
    const { isBeyond, left, seconds } = countOf(callerKeyOf(request), request.routeOptions.config.requestsOf?.(request))
    reply.header('ratelimit-policy', policy).header('ratelimit', `"caller";r=${left};t=${seconds}`)
    done(isBeyond ? new Failure('caller_rate_limited', { retryAfterSeconds: seconds }) : undefined)
  }

  /**
   * Counts a request that was refused for its credential, for its address. A valid credential from the same address is never
   * refused because of it, because all callers behind a load balancer have the same address.
   */
  function countRefused(failure: Error, request: FastifyRequest, reply: FastifyReply): Error {
    const { isGuess = false, isMissing = false } = failure instanceof AccessFailure ? failure : {}
    if (isMissing) return countStranger(request, reply) ?? failure
    if (isGuess) return refusalBeyond(countOfGuesses(addressOf(request)), 'too many guesses', reply) ?? failure
    return failure
  }

  function countStranger(request: FastifyRequest, reply: FastifyReply): Failure | undefined {
    return refusalBeyond(countOfStrangers(addressOf(request)), 'too many without a credential', reply)
  }

  return { countRequest, countRefused }
}

function refusalBeyond({ isBeyond, seconds }: Count, reason: string, reply: FastifyReply): Failure | undefined {
  if (!isBeyond) return undefined
  // The next one has to open a connection first.
  reply.header('connection', 'close')
  return new Failure('caller_rate_limited', { facts: { reason }, retryAfterSeconds: seconds })
}

interface Count {
  /** Whether it is beyond the limit. It is not counted then. */
  readonly isBeyond: boolean
  /** Requests that are left in the window. */
  readonly left: number
  /** Seconds until the window ends, rounded up. */
  readonly seconds: number
}

/** Counts by key. A window begins with the first request in it. */
function createWindows(
  { max, windowMs }: CallerLimitsOptions['guesses'],
  { maxCounted, clock }: Pick<CallerLimitsOptions, 'maxCounted' | 'clock'>,
): (key: string, requests?: number) => Count {
  const windows = new LRUCache<string, { readonly endsAt: number; requests: number }>({ max: maxCounted })
  return (key, requests = 1) => {
    const now = clock.elapsed()
    const last = windows.get(key)
    const window = last !== undefined && now < last.endsAt ? last : { endsAt: now + windowMs, requests: 0 }
    if (window !== last) windows.set(key, window)
    const isBeyond = window.requests + requests > max
    if (!isBeyond) window.requests += requests
    return { isBeyond, left: max - window.requests, seconds: Math.ceil((window.endsAt - now) / 1000) }
  }
}

/** Names the caller who is charged for a request: itself, or its address when it is anonymous. */
export function callerKeyOf(request: FastifyRequest): string {
  const { kind, name } = callerOf(request)
  return kind === 'anonymous' ? addressOf(request) : `${kind} ${name}`
}

/** The address of a request as it is counted. It is undefined once the caller has disconnected. */
function addressOf({ ip }: FastifyRequest): string {
  return networkOf(String(ip))
}

/**
 * The first half of an IPv6 address, because one household or machine has all addresses that begin with it
 * (https://www.rfc-editor.org/rfc/rfc6177#section-2). An IPv4 address counts as a whole, in IPv6 too (`::ffff:192.0.2.1`).
 * @param address as Node.js writes it
 */
export function networkOf(address: string): string {
  const ipv4 = address.slice(address.lastIndexOf(':') + 1)
  if (isIPv4(ipv4)) return ipv4
  const [start = '', end] = address.split('::')
  const groupsOf = (part: string) => (part === '' ? [] : part.split(':'))
  const [first, last] = [groupsOf(start), groupsOf(end ?? '')]
  const zeros = Array<string>(8 - first.length - last.length).fill('0')
  return [...first, ...zeros, ...last].slice(0, 4).join(':')
}
