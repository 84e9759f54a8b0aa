import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { AccessFailure } from '../access/access-failure.ts'
import type { Authenticate } from '../access/authentication.ts'
import type { Caller } from '../access/caller.ts'
import { Failure } from '../failures/failure.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; null until that is known. */
    caller: Caller | null
  }
}

export interface CallerAuthOptions {
  readonly authenticate: Authenticate
  /** Told of a credential that may be a guess; what it throws is answered instead. */
  readonly onGuess: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
}

/**
 * A guard for routes: finds out who calls, or refuses them with a challenge (RFC 9110 section 11, RFC 6750). Nothing but
 * `Authorization` is looked at, so a browser's cookies mean nothing here.
 */
export function identifyCallers(app: FastifyInstance, options: CallerAuthOptions): onRequestHookHandler {
  const { authenticate, onGuess } = options
  app.decorateRequest('caller', null)

  return (request, reply, done) => {
    const identified = (caller: Caller) => {
      request.caller = caller
      done()
    }
    const refused = (failure: Error) => {
      const isGuess = failure instanceof AccessFailure && failure.isGuess
      if (isGuess) onGuess(request, reply).then(() => done(failure), done)
      else done(failure)
    }
    try {
      const caller = authenticate(request.headers.authorization)
      // What is remembered of a credential needs no turn of the event loop.
      if (caller instanceof Promise) caller.then(identified, refused)
      else identified(caller)
    } catch (failure) {
      refused(failure as Error)
    }
  }
}

/**
 * Who asks.
 * @throws Failure `internal_error` on a route without the guard: nobody is shown anything by an oversight
 */
export function callerOf({ caller }: FastifyRequest): Caller {
  if (caller === null) throw new Failure('internal_error', { facts: { reason: 'a route without a guard' } })
  return caller
}
