import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const brotliAsync = promisify(brotliCompress)
const gzipAsync = promisify(gzip)

/** The content codings of responses (RFC 9110 section 8.4.1), in order of preference. */
export const contentCodings = ['br', 'gzip', 'identity'] as const
export type ContentCoding = (typeof contentCodings)[number]
export type Compression = Exclude<ContentCoding, 'identity'>

/** A smaller body fits into one or two packets with or without compression. */
export const worthCompressingBytes = 1024

/** Higher qualities take a hundred times as long and save a few per cent. */
const brotliQuality = 5

/**
 * Compresses on a thread of libuv's pool, not on the event loop.
 * @param quality from 1, which is the fastest; by default what is worth it for a body that is sent several times
 */
export async function compress(body: Buffer, coding: Compression, quality?: number): Promise<Buffer> {
  switch (coding) {
    case 'gzip':
      return await gzipAsync(body, quality === undefined ? {} : { level: quality })
    case 'br':
      return await brotliAsync(body, {
        params: {
          [constants.BROTLI_PARAM_QUALITY]: quality ?? brotliQuality,
          [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
          [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
        },
      })
  }
}
