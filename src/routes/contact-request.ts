import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler, onRequestHookHandler } from 'fastify'
import type { Profile } from '../access/profile.ts'
import { requestDirectivesOf } from '../cache/request-directives.ts'
import type { ContactQuery } from '../contacts/read-contact.ts'
import { Failure } from '../failures/failure.ts'
import { callerOf } from '../plugins/caller-auth.ts'
import { callerKeyOf } from '../plugins/caller-limits.ts'
import { acceptsJson, codingFor, variesOn } from '../plugins/negotiation.ts'
import type { View } from '../presentation/views/view.ts'

/** Hooks that run in this order before a request is validated. They authenticate the caller. */
export type Guards = readonly (onRequestHookHandler | onRequestAsyncHookHandler)[]

/** What every request for contacts says in its query. */
export interface ViewQuery {
  readonly view: View
  /** That of the caller by default. */
  readonly profile?: Profile
}

/**
 * Returns what a request asks for.
 * @param id in upper or lower case
 */
export function contactQueryOf(request: FastifyRequest, id: string, { view, profile }: ViewQuery): ContactQuery {
  const caller = callerOf(request)
  return {
    id: id.toLowerCase(),
    caller,
    askedBy: callerKeyOf(request),
    view,
    profile: profile ?? caller.profile,
    coding: codingFor(request),
    directives: requestDirectivesOf(request.headers),
    urgency: 2,
  }
}

/** Sets `Vary` to the request headers that every response about contacts depends on. */
export function setVary(_request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  reply.header('vary', variesOn(reply.getHeader('vary'), 'Accept, Accept-Encoding, Authorization'))
  done()
}

export function requireJson(request: FastifyRequest, _reply: FastifyReply, done: (failure?: Failure) => void): void {
  done(acceptsJson(request) ? undefined : new Failure('not_acceptable'))
}
