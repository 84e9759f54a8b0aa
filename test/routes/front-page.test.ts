import { hash } from 'node:crypto'
import t from 'tap'
import { version } from '../../src/common/version.ts'
import { sandboxToken, startService } from '../harness/service.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'

const ofBrowser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
const forOperators = ['livez', 'readyz', 'metrics', 'contract', 'version', 'cache', 'problems']

t.test('the front page of each listener leads to what can be read there, and each link works', async (t) => {
  for (const [docs, callersLinks, operatorsLinks] of [
    ['callers', ['docs', 'openapi.json', 'problems'], ['openapi.json', ...forOperators]],
    ['operators', ['problems'], ['openapi.json', 'docs', ...forOperators]],
    ['off', ['problems'], ['openapi.json', ...forOperators]],
  ] as const) {
    const { service } = await startService(t, { env: { DOCS: docs } })
    for (const [app, links] of [
      [service.callers, callersLinks],
      [service.operators, operatorsLinks],
    ] as const) {
      const json = await app?.inject('/')
      t.match(json?.headers, { 'content-type': 'application/json; charset=utf-8' })
      t.strictSame(Object.keys(json?.json().links), links, docs)
      const page = await app?.inject({ url: '/', headers: { accept: ofBrowser } })
      t.match(page?.headers, { 'content-type': 'text/html; charset=utf-8' })
      const hrefs = [...(page?.body ?? '').matchAll(/<a href="(.*?)">/g)].map(([, href = '']) => href)
      t.strictSame(hrefs, links, docs)
      for (const href of hrefs) t.equal((await app?.inject(`/${href}`))?.statusCode, 200, href)
    }
  }
})

t.test('the text of a link says what GET does there', async (t) => {
  const { service } = await startService(t)
  const read = async (url: string) => (await service.operators?.inject(url))?.json()
  const [{ links }, { paths }] = [await read('/'), await read('/openapi.json')]
  for (const name of forOperators) t.equal(links[name], paths[`/${name}`].get.summary, name)
})

t.test('Accept decides between the page and JSON, and both say so', async (t) => {
  const { get } = await startService(t)
  const table = [
    [undefined, 'application/json'],
    ['', 'application/json'],
    ['*/*', 'application/json'],
    ['image/png', 'application/json'],
    ['application/json, text/html', 'application/json'],
    ['text/html;q=0.5, application/json', 'application/json'],
    ['text/html', 'text/html'],
    ['application/json;q=0.5, text/html', 'text/html'],
    ['text/*', 'text/html'],
    ['text/html;charset=utf-8', 'text/html'],
    [ofBrowser, 'text/html'],
  ] as const
  await checkRowsInTurn(
    t,
    table,
    async ([accept, type]) => {
      const { status, headers } = await get('/', accept === undefined ? {} : { accept })
      const received = [status, headers.get('content-type'), headers.get('vary')]
      return difference(received, [200, `${type}; charset=utf-8`, 'Accept, Accept-Encoding'])
    },
    'each value has its format',
  )
  const [page, json] = [await get('/', { accept: 'text/html' }), await get('/')]
  t.not(page.headers.get('etag'), json.headers.get('etag'))
  for (const { headers } of [page, json]) {
    const conditional = { accept: 'text/html', 'if-none-match': headers.get('etag') ?? '' }
    t.equal((await get('/', conditional)).status, headers === page.headers ? 304 : 200)
  }
  const head = await get('/', { accept: 'text/html' }, 'HEAD')
  t.strictSame(
    [head.status, head.text, head.headers.get('content-length')],
    [200, '', `${Buffer.byteLength(page.text)}`],
  )
})

t.test('a page loads only its own style and icon, and names no other host, no version and no secret', async (t) => {
  const { get, service } = await startService(t)
  const headers = { accept: 'text/html' }
  const operators = await service.operators?.inject({ url: '/', headers })
  const replies = [await get('/', headers), await get('/problems'), await get('/problems/forbidden')].map((each) => ({
    policy: each.headers.get('content-security-policy'),
    text: each.text,
  }))
  for (const { policy, text } of [
    ...replies,
    { policy: operators?.headers['content-security-policy'], text: String(operators?.body) },
  ]) {
    const style = /<style>(.*?)<\/style>/s.exec(text)?.[1] ?? ''
    t.equal(
      policy,
      `default-src 'none'; frame-ancestors 'none'; style-src 'sha256-${hash('sha256', style, 'base64')}'; img-src 'self'; ` +
        `base-uri 'none'; form-action 'none'`,
    )
    t.match(
      text,
      /<meta name="viewport" content="width=device-width">\n<meta name="color-scheme" content="light dark">/,
    )
    t.notMatch(text, /<script|style=|(src|href)="(\/|https?:)/)
    t.notOk(text.includes(version) || text.includes(sandboxToken))
  }
})

t.test('there is an icon', async (t) => {
  const { service } = await startService(t)
  for (const app of [service.callers, service.operators]) {
    const { statusCode, headers, body } = (await app?.inject('/favicon.ico')) ?? {}
    t.match([statusCode, headers?.['content-type'], body], [200, 'image/svg+xml', /^<svg xmlns=.*<\/svg>$/])
  }
})

t.test('the front page and the icon have only GET and HEAD', async (t) => {
  const { service } = await startService(t)
  for (const app of [service.callers, service.operators])
    for (const url of ['/', '/favicon.ico', '/problems'])
      for (const method of ['POST', 'DELETE', 'PUT'] as const) {
        const reply = await app?.inject({ url, method })
        t.match([reply?.statusCode, reply?.headers.allow], [405, 'GET, HEAD'], url)
      }
})
