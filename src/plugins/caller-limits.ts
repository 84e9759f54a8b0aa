import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Failure } from '../failures/failure.ts'
import { callerOf } from './caller-auth.ts'

export interface CallerLimitsOptions {
  /** Requests of one caller per second, or of one address when callers are anonymous; 0 for no limit. */
  readonly maxRequestsPerSecond: number
  /** Guesses from one address per window. */
  readonly guesses: { readonly max: number; readonly windowMs: number }
}

/** Limits the requests of callers. A window begins with the first request in it. */
export async function limitCallers(app: FastifyInstance, options: CallerLimitsOptions) {
  const { maxRequestsPerSecond: max, guesses } = options
  await app.register(rateLimit, { global: false })
  const requestsOf = app.createRateLimit({ max, timeWindow: 1000, keyGenerator: callerKeyOf })
  const guessesOf = app.createRateLimit({ max: guesses.max, timeWindow: guesses.windowMs, keyGenerator: addressOf })
  const policy = `"caller";q=${max};w=1`

  /**
   * Counts a request of a caller, and sets `RateLimit-Policy` and `RateLimit` to what is left
   * (draft-ietf-httpapi-ratelimit-headers).
   * @throws Failure `caller_rate_limited`
   */
  async function countRequest(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (max === 0) return
    const { isExceeded, remaining, ttlInSeconds } = counted(await requestsOf(request))
    reply.header('ratelimit-policy', policy).header('ratelimit', `"caller";r=${remaining};t=${ttlInSeconds}`)
    if (isExceeded) throw new Failure('caller_rate_limited', { retryAfterSeconds: ttlInSeconds })
  }

  /**
   * Counts a guess for its address. A valid credential from the same address is never rejected because of it, because all
   * callers behind a load balancer have the same address.
   * @throws Failure `caller_rate_limited`
   */
  async function countGuess(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { isExceeded, ttlInSeconds } = counted(await guessesOf(request))
    if (!isExceeded) return
    // The next guess has to open a connection first.
    reply.header('connection', 'close')
    throw new Failure('caller_rate_limited', {
      facts: { reason: 'too many guesses' },
      retryAfterSeconds: ttlInSeconds,
    })
  }

  return { countRequest, countGuess }
}

/** The other member of the union is for callers on an allow list, and there is no such list. */
type Count = Awaited<ReturnType<ReturnType<FastifyInstance['createRateLimit']>>>
const counted = (count: Count) => count as Extract<Count, { isAllowed: false }>

/** Names the caller who is charged for a request: itself, or its address when it is anonymous. */
export function callerKeyOf(request: FastifyRequest): string {
  const { kind, name } = callerOf(request)
  return kind === 'anonymous' ? addressOf(request) : `${kind} ${name}`
}

/** The first half of an IPv6 address, because one household or machine has all addresses that begin with it. */
function addressOf({ ip }: FastifyRequest): string {
  return normalizeIP(ip)
}
