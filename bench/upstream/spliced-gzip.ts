import { constants, crc32, deflateRawSync } from 'node:zlib'

// RFC 1952: magic number, deflate, no flags, no time, no extra flags, unknown system.
const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])

/**
 * Compresses texts that differ only in their beginning. The shared part is compressed only once, so that the fake Hilos needs
 * little CPU time.
 * @param shared the text after the beginning
 * @returns a function that returns the gzip of a beginning and the shared part, as one normal member
 */
export function createSplicedGzip(shared: string): (beginning: string) => Buffer {
  const tail = Buffer.from(shared)
  const compressedTail = deflateRawSync(tail, { level: 6, finishFlush: constants.Z_FINISH })
  return (beginning) => {
    const stored = Buffer.from(beginning)
    const trailer = Buffer.alloc(8)
    trailer.writeUInt32LE(crc32(tail, crc32(stored)), 0)
    trailer.writeUInt32LE(stored.length + tail.length, 4)
    return Buffer.concat([header, storedBlock(stored), compressedTail, trailer])
  }
}

/** A block without compression that is not the last block (RFC 1951 section 3.2.4). */
function storedBlock(bytes: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt16LE(bytes.length, 1)
  head.writeUInt16LE(~bytes.length & 0xffff, 3)
  return Buffer.concat([head, bytes])
}
