import { hash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, gunzipSync } from 'node:zlib'
import type { Dispatcher } from 'undici'
import { bufferOf } from '../../common/bytes.ts'
import type { Clock } from '../../common/clock.ts'
import { Failure } from '../../failures/failure.ts'
import { UpstreamFailure } from '../failures.ts'

const gunzipAsync = promisify(gunzip)
const byteOrderMark = 0xfeff
type Body = Dispatcher.ResponseData['body']

/** Enough for most documents. With the 16 KiB of Node.js by default, each further chunk needs another thread switch. */
const unzipChunkBytes = 64 * 1024
/** Up to this size, decompression on the event loop takes less time than passing the body to another thread. */
const maxSyncUnzipBytes = 32 * 1024

/** The value of `Accept-Encoding`: the content codings that `decode` decodes. */
export const acceptedEncodings = 'gzip'

/**
 * Decodes a body.
 * @param codings the content codings in the order in which they were applied, without `identity`
 * @param maxBytes limit for the decoded body
 * @throws Failure `upstream_too_large`, or `upstream_invalid_response` for another encoding or invalid gzip
 */
export async function decode(bytes: Buffer, codings: readonly string[], maxBytes: number): Promise<Buffer> {
  if (codings.length === 0) return bytes
  if (codings.join() === acceptedEncodings) return await unzip(bytes, maxBytes)
  throw new UpstreamFailure('upstream_invalid_response', { facts: { reason: 'unsupported content encoding' } })
}

/** Decodes UTF-8. Invalid bytes become U+FFFD, and a byte order mark is dropped. */
export function textOf(bytes: Buffer): string {
  const text = bytes.toString()
  return text.charCodeAt(0) === byteOrderMark ? text.slice(1) : text
}

/**
 * A text that bodies share only if they are the same when they are decoded. The header of gzip makes no difference: it has the
 * time at which the body was compressed, or a random name that Django adds to hide the length.
 * @param codings as for {@link decode}
 */
export function revisionOf(bytes: Buffer, codings: readonly string[]): string {
  const compressed = codings.join() === acceptedEncodings ? withoutGzipHeader(bytes) : null
  return compressed === null
    ? `${JSON.stringify(codings)} ${hash('sha256', bytes, 'base64url')}`
    : `behind the header of gzip ${hash('sha256', compressed, 'base64url')}`
}

/** Null without a header, or with one that has other parts than a time and a name (RFC 1952 section 2.3). */
function withoutGzipHeader(bytes: Buffer): Buffer | null {
  const [first, second, method, flags] = bytes
  if (first !== 0x1f || second !== 0x8b || method !== 8) return null
  if (flags === 0) return bytes.subarray(gzipHeaderBytes)
  const endOfName = flags === 0x08 ? bytes.indexOf(0, gzipHeaderBytes) : -1
  return endOfName === -1 ? null : bytes.subarray(endOfName + 1)
}

const gzipHeaderBytes = 10

/**
 * Reads a whole body.
 * @param maxBytes the limit of the dispatcher for the body as sent, for the failure
 * @throws Failure `upstream_too_large`, or the error of the stream
 */
export async function collect(body: Body, maxBytes: number): Promise<Buffer> {
  body.on('error', ignore)
  try {
    return bufferOf(await body.bytes())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE')
      throw new Failure('upstream_too_large', { facts: { maxBytes } })
    throw error
  }
}

async function unzip(bytes: Buffer, maxBytes: number): Promise<Buffer> {
  const options = { maxOutputLength: maxBytes, chunkSize: unzipChunkBytes }
  try {
    return bytes.length > maxSyncUnzipBytes ? await gunzipAsync(bytes, options) : gunzipSync(bytes, options)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new Failure('upstream_too_large', { facts: { maxBytes } })
    throw new UpstreamFailure('upstream_invalid_response', { facts: { reason: 'invalid gzip' } })
  }
}

/**
 * Reads an unneeded body, so that its connection can be used again, and resolves when that connection is free. One that is
 * longer than 64 KiB or takes longer than 100 ms is cut off with its connection.
 */
export async function discardBody(body: Body, clock: Pick<Clock, 'schedule'>): Promise<void> {
  body.on('error', ignore)
  const cancel = clock.schedule(() => body.destroy(), 100)
  await body.dump({ limit: 64 * 1024 }).catch(ignore)
  cancel()
}

/** Without a listener, an `error` event of the stream would end the process. The failure itself is handled elsewhere. */
function ignore(): void {}
