import type { FastifyRequest } from 'fastify'
import { type ContentCoding, preferredCoding } from '../presentation/views/content-coding.ts'

/** The one format there is. */
export const mediaType = 'application/json; charset=utf-8'

/** The request headers that an answer depends on, besides what `Vary` names already. */
export function variesOn(before: unknown): string {
  const own = 'Accept, Accept-Encoding, Authorization'
  return before === undefined ? own : `${before}, ${own}`
}

/** Different values of one header that are remembered: a handful of browsers sends a handful of them. */
const maxRemembered = 100

/** Whether the caller takes it (RFC 9110 section 12.5.1). */
export const acceptsJson = rememberedBy('accept', true, (request) =>
  Boolean(request.type([mediaType, 'application/json'])),
)

/** The content coding for this caller. */
export const codingFor = rememberedBy<ContentCoding>('accept-encoding', 'identity', ({ headers }) =>
  preferredCoding(headers['accept-encoding']),
)

/** Reading such a header takes longer than all the rest of a hit, so each value is read once. */
function rememberedBy<T>(
  header: 'accept' | 'accept-encoding',
  without: T,
  decide: (request: FastifyRequest) => T,
): (request: FastifyRequest) => T {
  const remembered = new Map<string, T>()
  return (request) => {
    const value = request.headers[header]
    if (value === undefined) return without
    const known = remembered.get(value)
    if (known !== undefined) return known
    const decided = decide(request)
    if (remembered.size >= maxRemembered) remembered.clear()
    remembered.set(value, decided)
    return decided
  }
}
