import { promisify } from 'node:util'
import { gunzip, gunzipSync } from 'node:zlib'
import type { Dispatcher } from 'undici'
import { Failure } from '../../failures/failure.ts'
import { UpstreamFailure } from '../upstream-failure.ts'

const gunzipAsync = promisify(gunzip)
const utf8 = new TextDecoder()
type Body = Dispatcher.ResponseData['body']

/** Room for a usual document: with Node's own 16 KiB, each further chunk is a trip to another thread. */
const unzipChunkBytes = 64 * 1024
/** Up to this much is unpacked on the spot: that takes less time than handing it over. */
const unzippedAtOnceBytes = 32 * 1024

/** What `readBody` can decode, for `Accept-Encoding`. */
export const acceptedEncodings = 'gzip'

/**
 * The whole body, decoded.
 * @param encoding the `Content-Encoding` it came with
 * @param maxBytes bound of the decoded body; that of the body as sent is the dispatcher's
 * @throws Failure `upstream_too_large`; `upstream_invalid_response` for an encoding never asked for or not kept;
 *   whatever the stream fails with
 */
export async function readBody(body: Body, encoding: string, maxBytes: number): Promise<Buffer> {
  const bytes = await collect(body, maxBytes)
  switch (encoding) {
    case 'identity':
      return bytes
    case 'gzip':
      return await unzip(bytes, maxBytes)
    default:
      throw new UpstreamFailure('upstream_invalid_response', {
        facts: { reason: 'a content encoding never asked for' },
      })
  }
}

/** What the bytes of a body say; what is not UTF-8 becomes U+FFFD, a byte order mark is dropped. */
export function textOf(bytes: Buffer): string {
  return utf8.decode(bytes)
}

async function collect(body: Body, maxBytes: number): Promise<Buffer> {
  body.on('error', ignore)
  try {
    const { buffer, byteOffset, byteLength } = await body.bytes()
    return Buffer.from(buffer, byteOffset, byteLength)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE')
      throw new Failure('upstream_too_large', { facts: { maxBytes } })
    throw error
  }
}

async function unzip(bytes: Buffer, maxBytes: number): Promise<Buffer> {
  const options = { maxOutputLength: maxBytes, chunkSize: unzipChunkBytes }
  try {
    return bytes.length > unzippedAtOnceBytes ? await gunzipAsync(bytes, options) : gunzipSync(bytes, options)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new Failure('upstream_too_large', { facts: { maxBytes } })
    throw new UpstreamFailure('upstream_invalid_response', { facts: { reason: 'not the gzip it says it is' } })
  }
}

/** Reads a little of a body nobody wants, so that its connection can be used again; drops the connection for a long one. */
export function discardBody(body: Body): void {
  body.on('error', ignore)
  body.dump({ limit: 64 * 1024 }).catch(ignore)
}

/** A stream whose failure has been dealt with elsewhere, or does not matter, still emits it. */
function ignore(): void {}
