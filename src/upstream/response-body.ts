import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Dispatcher } from 'undici'
import { Failure } from '../errors.ts'

const gunzipAsync = promisify(gunzip)
const utf8 = new TextDecoder()
type Body = Dispatcher.ResponseData['body']

/** What `readBody` can decode, for `Accept-Encoding`. */
export const acceptedEncodings = 'gzip'

/**
 * The whole body, decoded, as text; bytes that are not UTF-8 become U+FFFD, a byte order mark is dropped.
 * @param encoding the `Content-Encoding` it came with
 * @param maxBytes bound of the body as sent and as decoded
 * @throws Failure `upstream_too_large`; `upstream_invalid_response` for an encoding never asked for or not kept;
 *   whatever the stream fails with
 */
export async function readBody(body: Body, encoding: string, maxBytes: number): Promise<string> {
  const bytes = await collect(body, maxBytes)
  switch (encoding) {
    case 'identity':
      return utf8.decode(bytes)
    case 'gzip':
      return utf8.decode(await unzip(bytes, maxBytes))
    default:
      throw new Failure('upstream_invalid_response', { facts: { reason: 'a content encoding never asked for' } })
  }
}

async function collect(body: Body, maxBytes: number): Promise<Buffer> {
  body.on('error', ignore)
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxBytes) throw new Failure('upstream_too_large', { facts: { maxBytes } })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}

async function unzip(bytes: Buffer, maxBytes: number): Promise<Buffer> {
  try {
    return await gunzipAsync(bytes, { maxOutputLength: maxBytes })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new Failure('upstream_too_large', { facts: { maxBytes } })
    throw new Failure('upstream_invalid_response', { facts: { reason: 'not the gzip it says it is' } })
  }
}

/** Reads a little of a body nobody wants, so that its connection can be used again; drops the connection for a long one. */
export function discardBody(body: Body): void {
  body.on('error', ignore)
  body.dump({ limit: 64 * 1024 }).catch(ignore)
}

/** A stream whose failure has been dealt with elsewhere, or does not matter, still emits it. */
function ignore(): void {}
