import type { FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import Negotiator from 'negotiator'
import { type ContentCoding, contentCodings } from '../presentation/views/content-coding.ts'

/** The only format of the service. */
export const mediaType = 'application/json; charset=utf-8'

/**
 * Adds the names of request headers that a response depends on to those that `Vary` already has.
 * @param before the value of `Vary`; undefined for none
 */
export function variesOn(before: unknown, names: string): string {
  return before === undefined ? names : `${before}, ${names}`
}

/** In characters. Browsers send less than half of it. A longer value counts as none, because parsing one takes long. */
const maxValueLength = 512
/** The number of values of one header that are cached. All callers together send only a few. */
const maxCachedValues = 100

/** Whether the caller accepts JSON (RFC 9110 section 12.5.1). An empty `Accept` counts as none. */
export const acceptsJson = decidedByHeader(
  'accept',
  true,
  (accept) =>
    accept === '' || new Negotiator({ headers: { accept } }).mediaType([mediaType, 'application/json']) !== undefined,
)

/** The format of a stream of events. */
export const eventMediaType = 'text/event-stream'

/** Whether the caller accepts a stream of events. An empty `Accept` counts as none. */
export const acceptsEvents = decidedByHeader(
  'accept',
  true,
  (accept) => accept === '' || new Negotiator({ headers: { accept } }).mediaType([eventMediaType]) !== undefined,
)

const htmlTypes = ['text/html', 'text/html;charset=utf-8']

/** Whether the caller prefers an HTML page to JSON, as browsers do. */
export const prefersHtml = decidedByHeader('accept', false, (accept) => {
  const preferred = new Negotiator({ headers: { accept } }).mediaType(['application/json', ...htmlTypes])
  return htmlTypes.includes(preferred ?? '')
})

/**
 * The content coding that the caller prefers; among equals the one that comes first in `contentCodings` (RFC 9110 section
 * 12.5.3). A caller that excludes all codings still gets the plain body, and no 406.
 */
export const codingFor = decidedByHeader<ContentCoding>('accept-encoding', 'identity', (header) => {
  const negotiator = new Negotiator({
    headers: { 'accept-encoding': header.toLowerCase() },
  }) as NegotiatorWithPreference
  return negotiator.encoding(contentCodings, { preferred: contentCodings }) ?? 'identity'
})

/** @types/negotiator describes version 0.6, which has no second parameter. */
interface NegotiatorWithPreference {
  encoding<T extends string>(available: readonly T[], options: { readonly preferred: readonly T[] }): T | undefined
}

/** Caches a decision by the value of a header, because parsing one takes longer than the rest of a cache hit. */
function decidedByHeader<T extends boolean | string>(
  header: 'accept' | 'accept-encoding',
  withoutHeader: T,
  decide: (value: string) => T,
): (request: FastifyRequest) => T {
  const decisions = new LRUCache<string, { readonly decision: T }>({ max: maxCachedValues })
  return (request) => {
    const value = request.headers[header]
    if (value === undefined || value.length > maxValueLength) return withoutHeader
    const cached = decisions.get(value)
    if (cached !== undefined) return cached.decision
    const decision = decide(value)
    decisions.set(value, { decision })
    return decision
  }
}
