import { hash } from 'node:crypto'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { serveStatic } from '../../src/plugins/static-answers.ts'
import { startService } from '../harness/service.ts'

/** Bytes that no compression makes fewer. */
const dense = Buffer.concat(Array.from({ length: 40 }, (_, index) => hash('sha256', `${index}`, 'buffer')))
const large = 'the same for all callers '.repeat(100)

function start(t: Test) {
  const app = Fastify()
  t.teardown(() => app.close())
  let made = 0
  const answer = (body: string | Buffer) => ({
    type: 'text/plain; charset=utf-8',
    makeBody: () => {
      made += 1
      return body
    },
  })
  serveStatic(app, '/large', { ...answer(large), headers: { 'x-own': 'yes' } })
  serveStatic(app, '/small', answer('small'))
  serveStatic(app, '/dense', answer(dense))
  const get = (url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
    app.inject({ url, headers, method })
  return { get, made: () => made }
}

t.test('a static answer is made once, and sent in the coding that the client prefers', async (t) => {
  const { get, made } = start(t)
  const plain = await get('/large')
  t.equal(plain.body, large)
  t.match(plain.headers, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'public, max-age=300',
    vary: 'Accept-Encoding',
    'x-own': 'yes',
    'content-length': `${large.length}`,
  })
  const decoders = { gzip: gunzipSync, br: brotliDecompressSync }
  const etags = [plain.headers.etag]
  for (const coding of ['gzip', 'br'] as const) {
    const { headers, rawPayload } = await get('/large', { 'accept-encoding': coding })
    t.equal(headers['content-encoding'], coding)
    t.equal(decoders[coding](rawPayload).toString(), large)
    etags.push(headers.etag)
  }
  t.equal(new Set(etags).size, 3, 'each coding has a tag of its own')
  await Promise.all([get('/large', { 'accept-encoding': 'br' }), get('/large')])
  t.equal(made(), 1)
})

t.test('a body that compression does not make smaller is sent as it is', async (t) => {
  const { get } = start(t)
  for (const url of ['/small', '/dense']) {
    const { headers } = await get(url, { 'accept-encoding': 'br' })
    t.equal(headers['content-encoding'], undefined, url)
    t.equal(headers.etag, (await get(url)).headers.etag)
  }
})

t.test('a body that could not be made is made at the next request', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  let tries = 0
  const makeBody = async () => {
    tries += 1
    if (tries === 1) throw new Error('too many open files')
    return Buffer.from(large)
  }
  serveStatic(app, '/', { type: 'text/plain', makeBody })
  const statuses = async () => (await app.inject({ url: '/', headers: { 'accept-encoding': 'br' } })).statusCode
  t.strictSame([await statuses(), await statuses(), await statuses(), tries], [500, 200, 200, 2])
})

t.test('a client that has the answer gets a 304', async (t) => {
  const { get } = start(t)
  const { etag = '' } = (await get('/large')).headers
  for (const method of ['GET', 'HEAD'] as const) {
    const { statusCode, headers, body } = await get('/large', { 'if-none-match': String(etag) }, method)
    t.match([statusCode, body], [304, ''])
    t.not(headers['content-length'], '0')
    t.match(headers, { etag, 'cache-control': 'public, max-age=300', vary: 'Accept-Encoding' })
  }
  t.equal((await get('/large', { 'if-none-match': '"another"' })).statusCode, 200)
  const { statusCode, headers, body } = await get('/large', {}, 'HEAD')
  t.match([statusCode, headers['content-length'], body], [200, `${large.length}`, ''])
})

t.test('all that is the same for all callers is served as static answers', async (t) => {
  const { get, service } = await startService(t)
  const files = ['swagger-ui.css', 'swagger-ui-bundle.js', 'page.css', 'page.js']
  const documents = ['/docs', '/docs/', '/docs/json', '/docs/yaml', '/openapi.json']
  const paths = [...documents, '/problems/overloaded', '/problems', '/', '/favicon.ico']
  for (const path of [...paths, ...files.map((file) => `/docs/static/${file}`)]) {
    const { status, headers } = await get(path)
    t.equal(status, 200, path)
    t.match(headers.get('cache-control'), /^public, max-age=/)
    t.equal((await get(path, { 'if-none-match': headers.get('etag') ?? '' })).status, 304)
  }
  const operators = await service.operators?.inject('/openapi.json')
  t.match(operators?.headers, { 'cache-control': 'public, max-age=300', etag: /^"/ })
})
