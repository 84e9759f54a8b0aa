import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { matchesIfNoneMatch } from '../cache/cache-status.ts'
import { type ContentCoding, compress, worthCompressingBytes } from '../presentation/views/content-coding.ts'
import { etagOf, ownBytes } from '../presentation/views/view.ts'
import { codingFor, variesOn } from './negotiation.ts'

/** A response that is the same for all callers while the process runs. */
export interface StaticAnswer {
  /** The value of `Content-Type`. */
  readonly type: string
  /** Called at the first request, and again only if it failed. */
  readonly makeBody: () => string | Buffer | Promise<string | Buffer>
  /** Further headers; none by default. */
  readonly headers?: Readonly<Record<string, string>>
}

type Encoded = ReturnType<typeof encodedAs>

function encodedAs(coding: ContentCoding, content: string | Buffer) {
  const body = ownBytes(content)
  return { body, coding, etag: etagOf(body) }
}

/** In seconds. After it, a cache revalidates, which costs a 304. */
const maxAge = 300

/** Serves a static answer at a path that is not part of the API. */
export function serveStatic(app: FastifyInstance, path: string, answer: StaticAnswer): void {
  app.get(path, { schema: { hide: true } }, createStaticHandler(answer))
}

/**
 * Sends a static answer. All responses share one buffer per content coding, which is made at the first request for it, so
 * that a client that asks for many and reads none takes no memory.
 */
export function createStaticHandler({ type, makeBody, headers = {} }: StaticAnswer) {
  const encoded = new Map<ContentCoding, Promise<Encoded>>()

  function encodedIn(coding: ContentCoding): Promise<Encoded> {
    const known = encoded.get(coding)
    if (known !== undefined) return known
    const made = encode(coding)
    made.catch(() => encoded.delete(coding))
    encoded.set(coding, made)
    return made
  }

  async function encode(coding: ContentCoding): Promise<Encoded> {
    if (coding === 'identity') return encodedAs(coding, await makeBody())
    const plain = await encodedIn('identity')
    if (plain.body.length < worthCompressingBytes) return plain
    const compressed = await compress(plain.body, coding)
    return compressed.length < plain.body.length ? encodedAs(coding, compressed) : plain
  }

  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { body, coding, etag } = await encodedIn(codingFor(request))
    reply.headers({
      ...headers,
      etag,
      'cache-control': `public, max-age=${maxAge}`,
      vary: variesOn(reply.getHeader('vary'), 'Accept-Encoding'),
    })
    if (matchesIfNoneMatch(request.headers['if-none-match'], etag)) reply.code(304)
    if (reply.statusCode === 304 && request.method === 'GET') return reply.send()
    // For HEAD, Fastify sets the length of what it is given: 0 would be wrong even in a 304 (RFC 9110 section 8.6).
    if (coding !== 'identity') reply.header('content-encoding', coding)
    return reply.type(type).send(body)
  }
}
