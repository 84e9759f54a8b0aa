import { brotliCompressSync, brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { exampleContact } from '../../../src/presentation/contact/example.ts'
import {
  compress,
  contentCodings,
  preferredCoding,
  worthCompressingBytes,
} from '../../../src/presentation/views/content-coding.ts'
import { packContact } from '../../../src/presentation/views/view.ts'

const packed = packContact(exampleContact)

t.test('the content codings, are these, the preferred ones first', async (t) => {
  t.strictSame(contentCodings, ['br', 'gzip', 'identity'])
  t.equal(worthCompressingBytes, 1024)
})

t.test(
  'Accept-Encoding, whatever it says, gives the best weight that is not 0, and among equals what we prefer',
  async (t) => {
    const table = [
      [undefined, 'identity'],
      ['', 'identity'],
      [' ', 'identity'],
      ['identity', 'identity'],
      ['gzip', 'gzip'],
      ['br', 'br'],
      ['GZip', 'gzip'],
      ['gzip, deflate, br', 'br'],
      ['gzip, deflate, br, zstd', 'br'],
      ['gzip,br', 'br'],
      ['identity, gzip', 'gzip'],
      ['deflate, zstd', 'identity'],
      ['br;q=0.5, gzip;q=0.8', 'gzip'],
      ['br;q=0.8, gzip;q=0.8', 'br'],
      ['br;q=0.799, gzip;q=0.8', 'gzip'],
      ['gzip;q=0.001', 'gzip'],
      ['gzip;Q=1.000', 'gzip'],
      ['gzip ; q=0.5 , br\t;\tq=0.1', 'gzip'],
      ['gzip;q=0.5, identity;q=0.8', 'identity'],
      ['gzip;q=0', 'identity'],
      ['gzip;q=0.000, br;q=0.', 'identity'],
      ['*', 'br'],
      ['*;q=0.1', 'br'],
      ['br;q=0, *', 'gzip'],
      ['*;q=0.5, gzip', 'gzip'],
      ['*;q=0.5, identity', 'identity'],
      ['*;q=0', 'identity'],
      ['*;q=0, gzip', 'gzip'],
      ['identity;q=0', 'identity'],
      ['identity;q=0, *;q=0', 'identity'],
      ['identity;q=0, gzip;q=0.1', 'gzip'],
      ['garbage', 'identity'],
      [',;,=, ;q=1', 'identity'],
      ['gzip;q=', 'identity'],
      ['gzip;q=2', 'identity'],
      ['gzip;q=1.1', 'identity'],
      ['gzip;q=-1', 'identity'],
      ['gzip;q=a, br;q=0.1', 'br'],
      ['gzip;level=9', 'identity'],
      ['gzip br', 'identity'],
      ['x-gzip', 'identity'],
    ] as const
    for (const [header, coding] of table) t.equal(preferredCoding(header), coding, String(header))
  },
)

t.test('Accept-Encoding, as long as a header can be, is read in no time', async (t) => {
  const begin = performance.now()
  for (const part of ['gzip;', ' ', 'a;q=0', ',', '*;q=0.0', '\t;\tq=1'])
    preferredCoding(part.repeat(8192 / part.length))
  t.ok(performance.now() - begin < 500)
})

t.test('a body, when compressed, is smaller, and the bytes it was when decompressed', async (t) => {
  for (const body of [packed, Buffer.alloc(0), Buffer.from('👋'), Buffer.alloc(5_000_000, 'Hola María. ')]) {
    const [gzip, brotli] = await Promise.all([compress(body, 'gzip'), compress(body, 'br')])
    t.ok(gunzipSync(gzip).equals(body), `gzip, ${body.length} bytes`)
    t.ok(brotliDecompressSync(brotli).equals(body), `br, ${body.length} bytes`)
    if (body.length > worthCompressingBytes) {
      t.ok(gzip.length < body.length / 3)
      t.ok(brotli.length < gzip.length, 'and what is preferred is smaller')
    }
  }
})

t.test('brotli, at this quality, is quick rather than thorough', async (t) => {
  t.ok((await compress(packed, 'br')).length > brotliCompressSync(packed).length)
})

t.test('a body, when compressed twice, gives the same bytes: its ETag says so', async (t) => {
  for (const coding of ['gzip', 'br'] as const)
    t.strictSame(await compress(packed, coding), await compress(packed, coding), coding)
})

t.test('a large body, when compressed, leaves the event loop to others', async (t) => {
  for (const coding of ['gzip', 'br'] as const) {
    const order: string[] = []
    const compressing = compress(Buffer.alloc(5_000_000, 'Hola María. '), coding).then(() => order.push('compressed'))
    await new Promise<void>((resolve) => setImmediate(resolve))
    order.push('another turn of the loop')
    await compressing
    t.strictSame(order, ['another turn of the loop', 'compressed'], coding)
  }
})
