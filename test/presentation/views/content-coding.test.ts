import { brotliCompressSync, brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { exampleContact } from '../../../src/presentation/contact/example.ts'
import { compress, contentCodings, worthCompressingBytes } from '../../../src/presentation/views/content-coding.ts'
import { serializeContact } from '../../../src/presentation/views/view.ts'

const serialized = serializeContact(exampleContact)
const large = Buffer.alloc(5_000_000, 'Hola María. ')
const compressions = ['gzip', 'br'] as const

t.test('the content codings are in order of preference', async (t) => {
  t.strictSame(contentCodings, ['br', 'gzip', 'identity'])
  t.equal(worthCompressingBytes, 1024)
})

t.test('a compressed body is smaller, and decompressed the same', async (t) => {
  for (const body of [serialized, Buffer.alloc(0), Buffer.from('👋'), large]) {
    const [gzip, brotli] = await Promise.all([compress(body, 'gzip'), compress(body, 'br')])
    t.ok(gunzipSync(gzip).equals(body), `gzip, ${body.length} bytes`)
    t.ok(brotliDecompressSync(brotli).equals(body), `br, ${body.length} bytes`)
    if (body.length > worthCompressingBytes) {
      t.ok(gzip.length < body.length / 3)
      t.ok(brotli.length < gzip.length, 'the preferred coding is smaller')
    }
  }
  const best = brotliCompressSync(serialized)
  t.ok((await compress(serialized, 'br')).length > best.length, 'the quality is not the highest, which is slow')
})

t.test('the same body gives the same compressed bytes, as its ETag says', async (t) => {
  for (const coding of compressions)
    t.strictSame(await compress(serialized, coding), await compress(serialized, coding), coding)
})

t.test('a compression does not block the event loop', async (t) => {
  for (const coding of compressions) {
    const order: string[] = []
    const compressing = compress(large, coding).then(() => order.push('compressed'))
    await new Promise<void>((resolve) => setImmediate(resolve))
    order.push('another turn of the loop')
    await compressing
    t.strictSame(order, ['another turn of the loop', 'compressed'], coding)
  }
})
