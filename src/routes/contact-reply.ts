import type { FastifyReply, FastifyRequest } from 'fastify'
import { type CacheUse, failsIfMatch, matchesIfNoneMatch } from '../cache/cache-status.ts'
import type { CacheReport } from '../contacts/read-contact.ts'
import { Failure } from '../failures/failure.ts'
import { mediaType } from '../plugins/negotiation.ts'
import type { ContentCoding } from '../presentation/views/content-coding.ts'
import type { Representation } from '../presentation/views/view.ts'

/** A caller may keep an ended run for this long after the response. */
const keepSeconds = 60

/**
 * Sets the status and the headers that a response and its 304 have in common. Returns whether the content is to be described and
 * sent: not in a 304, because the caller has it already. Fastify leaves it out of each response to HEAD.
 * @param retryAfter null for none
 * @throws Failure `precondition_failed`
 */
export function prepare(
  { etag, terminal }: Pick<Representation, 'etag' | 'terminal'>,
  age: number,
  retryAfter: number | null,
  request: FastifyRequest,
  reply: FastifyReply,
): boolean {
  if (failsIfMatch(request.headers['if-match'], etag)) throw new Failure('precondition_failed')
  reply.header('etag', etag).header('age', age)
  // Callers revalidate a running contact each time, which costs a 304. The age is added to `max-age`, because caches count
  // it from the answer of Hilos (RFC 9111 section 4.2.3).
  reply.header('cache-control', terminal ? `private, max-age=${age + keepSeconds}` : 'private, no-cache')
  if (!terminal && retryAfter !== null) reply.header('retry-after', retryAfter)
  const isKnown = matchesIfNoneMatch(request.headers['if-none-match'], etag)
  reply.code(isKnown ? 304 : 200)
  return !isKnown || request.method === 'HEAD'
}

/** Sets the headers of a content, which the response to HEAD has, too. */
export function describeContent(coding: ContentCoding, bytes: number, reply: FastifyReply): void {
  if (coding !== 'identity') reply.header('content-encoding', coding)
  // For HEAD, Fastify sets the length of what it is given: 0 would be wrong even in a 304 (RFC 9110 section 8.6).
  reply.header('content-type', mediaType).header('content-length', bytes)
}

/** Says what the cache did, in the response and for the log. */
export function reportCache(
  { status, use }: Pick<CacheReport, 'status' | 'use'>,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  request.cacheUse = use
  reply.header('cache-status', status).header('server-timing', serverTiming(use, reply))
}

/** https://www.w3.org/TR/server-timing/ */
function serverTiming({ fwd }: CacheUse, reply: FastifyReply): string {
  return `cache;desc=${fwd === null ? 'hit' : 'miss'};dur=${reply.elapsedTime.toFixed(1)}`
}
