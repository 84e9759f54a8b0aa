import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Authenticate } from '../access/authentication.ts'
import type { Caller } from '../access/caller.ts'
import { Failure } from '../failures/failure.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The authenticated caller; null before authentication. */
    caller: Caller | null
  }
}

export interface CallerAuthOptions {
  readonly authenticate: Authenticate
  /** Called for each caller who is accepted. */
  readonly onCaller: (request: FastifyRequest) => void
  /** Called for each other request. It returns the failure to respond with, which is the given one or that of a limit. */
  readonly onRefused: (failure: Error, request: FastifyRequest, reply: FastifyReply) => Error
}

/**
 * Returns a guard for routes. It authenticates the caller, or rejects the request with a challenge (RFC 9110 section 11,
 * RFC 6750). It reads only `Authorization`, so the cookies of a browser have no effect.
 */
export function authenticateCallers(
  app: FastifyInstance,
  { authenticate, onCaller, onRefused }: CallerAuthOptions,
): onRequestHookHandler {
  app.decorateRequest('caller', null)

  return (request, reply, done) => {
    const accept = (caller: Caller) => {
      request.caller = caller
      onCaller(request)
      done()
    }
    const reject = (failure: Error) => done(onRefused(failure, request, reply))
    try {
      const caller = authenticate(request.headers.authorization)
      // A key, and a token with a cached verification, are handled without waiting for a promise.
      if (caller instanceof Promise) caller.then(accept, reject)
      else accept(caller)
    } catch (failure) {
      reject(failure as Error)
    }
  }
}

/**
 * Returns the caller of a request.
 * @throws Failure `internal_error` on a route without the guard, so that a forgotten guard shows no data
 */
export function callerOf({ caller }: FastifyRequest): Caller {
  if (caller === null) throw new Failure('internal_error', { facts: { reason: 'a route without a guard' } })
  return caller
}
