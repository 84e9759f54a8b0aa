import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const brotliAsync = promisify(brotliCompress)
const gzipAsync = promisify(gzip)

/** Content codings (RFC 9110 section 8.4.1) that answers come in, the preferred ones first. */
export const contentCodings = ['br', 'gzip', 'identity'] as const
export type ContentCoding = (typeof contentCodings)[number]
export type Compression = Exclude<ContentCoding, 'identity'>

/**
 * The coding a caller likes best, and among equals the one we prefer (RFC 9110 section 12.5.3). Nobody is refused for
 * want of a coding: a caller who names none that we have, or excludes all, gets the bytes as they are.
 * @param header value of `Accept-Encoding`
 */
export function preferredCoding(header: string | undefined): ContentCoding {
  const weights = new Map(header?.toLowerCase().split(',').flatMap(weightedCoding))
  const weightOf = (coding: ContentCoding) => weights.get(coding) ?? weights.get('*') ?? 0
  const accepted = contentCodings.filter((coding) => weightOf(coding) > 0)
  const [best = 'identity'] = accepted.sort((a, b) => weightOf(b) - weightOf(a))
  return best
}

/** What cannot be read is passed over. */
function weightedCoding(member: string): [coding: string, weight: number][] {
  const [, coding, weight = '1'] = /^([^\s;]+)(?:\s*;\s*q=(0(?:\.\d*)?|1(?:\.0*)?))?$/.exec(member.trim()) ?? []
  return coding === undefined ? [] : [[coding, Number(weight)]]
}

/** Less than this fits into one or two packets either way. */
export const worthCompressingBytes = 1024

/** Higher qualities cost a hundred times as much for some per cent. */
const brotliQuality = 5

/** Compresses off the event loop, on a thread of libuv's pool. */
export async function compress(body: Buffer, coding: Compression): Promise<Buffer> {
  switch (coding) {
    case 'gzip':
      return await gzipAsync(body)
    case 'br':
      return await brotliAsync(body, {
        params: {
          [constants.BROTLI_PARAM_QUALITY]: brotliQuality,
          [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
          [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
        },
      })
  }
}
