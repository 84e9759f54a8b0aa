import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Failure } from '../failures/failure.ts'
import { callerOf } from './caller-auth.ts'

export interface CallerLimitsOptions {
  /** Requests of one caller in a second, or of one address where anybody may ask; 0 for no limit. */
  readonly maxRequestsPerSecond: number
  /** Credentials of one address that are nobody's, in a window. */
  readonly guesses: { readonly max: number; readonly windowMs: number }
}

export interface CallerLimits {
  /**
   * Counts a request of a caller, and says in `RateLimit-Policy` and `RateLimit` how many are left
   * (draft-ietf-httpapi-ratelimit-headers).
   * @throws Failure `caller_rate_limited`
   */
  readonly countRequest: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /**
   * Counts a credential that is nobody's against the address it came from. One that is somebody's is never refused for its
   * sake: behind a load balancer, one address is everybody's.
   * @throws Failure `caller_rate_limited`
   */
  readonly countGuess: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
}

/** How much callers may ask for, in windows that begin with their first request. */
export async function limitCallers(app: FastifyInstance, options: CallerLimitsOptions): Promise<CallerLimits> {
  const { maxRequestsPerSecond: max, guesses } = options
  await app.register(rateLimit, { global: false })
  const requests = app.createRateLimit({ max, timeWindow: 1000, keyGenerator: accountOf })
  const guessed = app.createRateLimit({
    max: guesses.max,
    timeWindow: guesses.windowMs,
    keyGenerator: addressOf,
  })
  const policy = `"caller";q=${max};w=1`

  async function countRequest(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (max === 0) return
    const { isExceeded, remaining, ttlInSeconds } = counted(await requests(request))
    reply.header('ratelimit-policy', policy).header('ratelimit', `"caller";r=${remaining};t=${ttlInSeconds}`)
    if (isExceeded) throw new Failure('caller_rate_limited', { retryAfterSeconds: ttlInSeconds })
  }

  async function countGuess(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { isExceeded, ttlInSeconds } = counted(await guessed(request))
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

/** There is no list of those who are not counted. */
type Counted = Extract<Awaited<ReturnType<ReturnType<FastifyInstance['createRateLimit']>>>, { isAllowed: false }>
const counted = (count: Awaited<ReturnType<ReturnType<FastifyInstance['createRateLimit']>>>) => count as Counted

function accountOf(request: FastifyRequest): string {
  const { kind, name } = callerOf(request)
  return kind === 'anonymous' ? addressOf(request) : `${kind} ${name}`
}

/** Of IPv6 the first half, which is what one household or machine has. */
function addressOf({ ip }: FastifyRequest): string {
  return normalizeIP(ip)
}
