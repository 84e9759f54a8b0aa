import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import tls, { type TlsOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { Secret } from '../../../src/common/secret.ts'
import { createConnections, createFetch, startRequest } from '../../../src/upstream/transport/connections.ts'
import { throwawayCertificates, throwawayKey } from '../../harness/certificate.ts'
import { createProxy, type ProxyMood } from '../../harness/proxy.ts'
import { createTimers } from '../../harness/timers.ts'
import {
  type Answer,
  arrangeRaw,
  type ClientOptions,
  closed,
  connectionsOptions,
  createClient,
  failureOf,
  jsonResponse,
  minimal,
  retries,
  startRawHilos,
  token,
  until,
} from '../raw-hilos.ts'

const kinds = ['kept', 'fresh'] as const

async function arrange(t: Test, answer: Answer, tlsOptions?: TlsOptions) {
  const hilos = await startRawHilos(t, answer, tlsOptions)
  const { origin } = hilos
  const connections = createConnections({ ...connectionsOptions, baseUrl: origin })
  t.teardown(connections.destroy)
  const ask = async (kind: (typeof kinds)[number]) => {
    const { body } = await connections[kind]().dispatcher.request({ origin, path: '/', method: 'GET' })
    return (await body.text()).length
  }
  return { ...hilos, ask }
}

t.test('kept connections are used again, fresh ones are closed', async (t) => {
  const kept = await arrange(t, (socket) => socket.write(minimal))
  for (let index = 0; index < 10; index += 1) t.equal(await kept.ask('kept'), 14)
  // One, or two if the next request comes before undici has taken the first one back.
  t.ok(kept.sockets.length <= 2)
  const { ask, requests, sockets } = await arrange(t, (socket) => socket.write(minimal))
  for (let index = 0; index < 5; index += 1) {
    t.equal(await ask('fresh'), 14)
    await closed(sockets.at(-1))
  }
  await Promise.all(Array.from({ length: 5 }, () => ask('fresh')))
  t.equal(sockets.length, 10)
  t.ok(requests.every((request) => /\r\nconnection: close\r\n/i.test(request)))
  for (const socket of sockets) await closed(socket)
})

t.test('there are no more connections than allowed, with one request on each', async (t) => {
  for (const kind of kinds) {
    const held: Socket[] = []
    const { ask } = await arrange(t, (socket) => held.push(socket))
    const all = Promise.all(Array.from({ length: 7 }, () => ask(kind)))
    let most = 0
    for (let answered = 0; answered < 7; answered += 1) {
      await until(() => held.length >= Math.min(answered + 2, 7))
      const unanswered = held.slice(answered)
      most = Math.max(most, unanswered.length)
      t.equal(new Set(unanswered).size, unanswered.length, 'no request is sent on a connection that owes an answer')
      held[answered]?.write(minimal)
    }
    await all
    t.equal(most, 2)
    t.equal(held.length, 7)
  }
})

t.test('a body larger than allowed is not read to its end', async (t) => {
  for (const kind of kinds) {
    const allowed = await arrange(t, (socket) => socket.write(jsonResponse('x'.repeat(1000))))
    t.equal(await allowed.ask(kind), 1000)
    const { ask, sockets } = await arrange(t, (socket) => socket.write(jsonResponse('x'.repeat(1001))))
    await t.rejects(ask(kind), { code: 'UND_ERR_RES_EXCEEDED_MAX_SIZE' })
    await closed(sockets[0])
  }
})

t.test('a second response is not taken for the response to the next request', async (t) => {
  const { call, requests } = await arrangeRaw(t, (socket) => {
    const answer = (status: string) => jsonResponse(`{"contact":{},"status":"${status}"}`)
    socket.write(requests.length === 1 ? Buffer.concat([answer('READY'), answer('FAILED')]) : answer('RUNNING'))
  })
  t.equal((await call())?.status, 'READY')
  t.equal((await call())?.status, 'RUNNING')
})

t.test('a handshake that is not answered is tried once more', async (t) => {
  const { baseUrl, requests, sockets } = await startRawHilos(t, '')
  const timers = createTimers()
  const settings = { clock: timers, retries, connectTimeoutMs: 4000, timeoutMs: 10_000 }
  const { call } = createClient(t, baseUrl.replace('http:', 'https:'), settings)
  const failing = failureOf(call())
  await until(() => sockets.length === 1)
  await timers.advance(4000)
  await until(() => sockets.length === 2)
  t.strictSame(timers.armed(), [10_000, 6000], 'the deadline is that of the call')
  await timers.advance(6000)
  const { code, facts } = await failing
  t.strictSame([code, facts], ['upstream_timeout', { reason: 'before an answer', timeoutMs: 10_000 }])
  t.strictSame([requests.length, sockets.length], [0, 2])
})

t.test('a request that ends before its connection is there is never sent', async (t) => {
  const { origin, requests, sockets } = await startRawHilos(t, minimal)
  const connections = createConnections({ ...connectionsOptions, baseUrl: origin })
  t.teardown(connections.destroy)
  const { dispatcher } = connections.kept()
  const { response, end } = startRequest(dispatcher, { origin, path: '/', method: 'GET' }, () => t.fail('it is sent'))
  const reason = new Error('in a test')
  end(reason)
  t.equal(await response.catch((error: unknown) => error), reason)
  await until(() => sockets.length === 1)
  await closed(sockets[0])
  t.strictSame(requests, [])
})

/** An upstream with this certificate, and a client that trusts this certificate or none. */
async function arrangeTls(
  t: Test,
  certificate: keyof typeof throwawayCertificates,
  isTrusted: boolean,
  clientOptions: ClientOptions = { retries },
  handshakeMs = 0,
) {
  const cert = throwawayCertificates[certificate]
  const offered: string[][] = []
  const options: TlsOptions = {
    key: throwawayKey,
    cert,
    ALPNCallback: ({ protocols }) => {
      offered.push(protocols)
      client.clock.advance(handshakeMs)
      return 'http/1.1'
    },
  }
  const trustedBefore = tls.getCACertificates('default')
  t.teardown(() => tls.setDefaultCACertificates(trustedBefore))
  tls.setDefaultCACertificates(isTrusted ? [cert] : [])
  const hilos = await arrange(t, (socket) => socket.write(minimal), options)
  const client = createClient(t, hilos.baseUrl, clientOptions)
  return { ...hilos, offered, ...client }
}

t.test('the second of the rate limit begins when the request is sent, not before its connection is open', async (t) => {
  const { call, clock, requests } = await arrangeTls(
    t,
    'rightHost',
    true,
    { maxCallsPerSecond: 1, maxQueuedCalls: 0 },
    300,
  )
  t.ok(await call())
  clock.advance(999)
  t.equal((await failureOf(call())).code, 'overloaded')
  clock.advance(1)
  t.ok(await call())
  clock.advance(1000)
  t.ok(await call(), 'an open connection takes no time')
  t.equal(requests.length, 3)
})

t.test('a trusted Hilos is sent requests over HTTP/1.1', async (t) => {
  const { call, requests, offered } = await arrangeTls(t, 'rightHost', true)
  t.ok(await call())
  t.equal(requests.length, 1)
  t.strictSame(offered, [['http/1.1']])
})

for (const [certificate, isTrusted, reason] of [
  ['rightHost', false, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['wrongHost', true, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['expired', true, 'CERT_HAS_EXPIRED'],
] as const)
  for (const rejectUnauthorized of ['1', '0'])
    t.test(`no request is sent after ${reason}, with NODE_TLS_REJECT_UNAUTHORIZED=${rejectUnauthorized}`, async (t) => {
      t.teardown(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED)
      process.env.NODE_TLS_REJECT_UNAUTHORIZED = rejectUnauthorized
      const { call, ask, requests, sockets } = await arrangeTls(t, certificate, isTrusted)
      const { code, facts } = await failureOf(call())
      t.strictSame([code, facts], ['upstream_untrusted', { reason }])
      t.equal(sockets.length, 1, 'it is not retried')
      for (const kind of kinds) await t.rejects(ask(kind), { code: reason })
      t.strictSame(requests, [])
    })

t.test('a Hilos without TLS is sent a handshake and nothing else', async (t) => {
  const received: Buffer[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      received.push(chunk)
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
  })
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { call } = createClient(t, `https://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.equal((await failureOf(call())).code, 'upstream_untrusted')
  t.equal(received.length, 1)
  t.notOk(Buffer.concat(received).includes(token))
})

/** A TLS server with this certificate behind a proxy, and a client that trusts the certificate of the right host. */
async function arrangeTunnel(t: Test, certificate: keyof typeof throwawayCertificates, mood?: ProxyMood) {
  const trustedBefore = tls.getCACertificates('default')
  t.teardown(() => tls.setDefaultCACertificates(trustedBefore))
  tls.setDefaultCACertificates([throwawayCertificates[certificate]])
  const options: TlsOptions = { key: throwawayKey, cert: throwawayCertificates[certificate] }
  const hilos = await startRawHilos(t, (socket) => socket.write(minimal), options)
  const { host, port } = new URL(hilos.baseUrl)
  const proxy = await createProxy(t, Number(port), mood)
  const secret = new Secret(proxy.url.replace('//', '//user:proxy-canary@'))
  return { ...hilos, proxy, secret, host }
}

t.test('through a proxy, TLS ends at Hilos, and the proxy sees only its name', async (t) => {
  const { baseUrl, proxy, secret, host, requests, sockets } = await arrangeTunnel(t, 'rightHost')
  const { call } = createClient(t, baseUrl, { proxy: secret })
  for (let index = 0; index < 3; index += 1) t.ok(await call())
  t.equal(requests.length, 3)
  t.strictSame([...new Set(proxy.requests)], [`CONNECT ${host}`])
  t.ok(sockets.length <= 2, 'the tunnel is kept')
  t.match(proxy.heads[0], Buffer.from('user:proxy-canary').toString('base64'))
  t.notMatch(proxy.heads.join(), token)
  t.notMatch(requests.join(), /proxy/i)
})

t.test('the limits hold through a proxy, too', async (t) => {
  const { baseUrl, proxy, secret, requests, sockets } = await arrangeTunnel(t, 'rightHost')
  const options = { ...connectionsOptions, baseUrl, proxy: secret }
  const [{ kept, fresh, destroy }, small] = [
    createConnections(options),
    createConnections({ ...options, maxBodyBytes: 13 }),
  ]
  t.teardown(() => Promise.all([destroy(), small.destroy()]))
  const { origin } = new URL(baseUrl)
  const ask = async (route: typeof kept) =>
    (await route().dispatcher.request({ origin, path: '/', method: 'GET' })).body.text()
  await Promise.all(Array.from({ length: 7 }, () => ask(kept)))
  t.equal(sockets.length, 2)
  await Promise.all(Array.from({ length: 3 }, () => ask(fresh)))
  t.equal(sockets.length, 5, 'a fresh connection for each')
  t.equal(proxy.requests.length, 5)
  t.match(requests.at(-1), /\r\nconnection: close\r\n/i)
  await t.rejects(ask(small.kept), { code: 'UND_ERR_RES_EXCEEDED_MAX_SIZE' })
})

for (const rejectUnauthorized of ['1', '0'])
  t.test(`a proxy cannot answer for Hilos, with NODE_TLS_REJECT_UNAUTHORIZED=${rejectUnauthorized}`, async (t) => {
    t.teardown(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED)
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = rejectUnauthorized
    for (const [certificate, reason] of [
      ['wrongHost', 'ERR_TLS_CERT_ALTNAME_INVALID'],
      ['expired', 'CERT_HAS_EXPIRED'],
    ] as const) {
      const { baseUrl, secret, requests, proxy } = await arrangeTunnel(t, certificate)
      const { code, facts } = await failureOf(createClient(t, baseUrl, { proxy: secret, retries }).call())
      t.match([code, facts], ['upstream_untrusted', { reason }])
      const through = createFetch(baseUrl, { proxy: secret, connectTimeoutMs: 1000 })
      await t.rejects(through(`${baseUrl}/keys`), { cause: { code: reason } })
      t.strictSame([requests, proxy.requests.length], [[], 2])
    }
  })

t.test('a proxy that refuses or does not answer is a failure of Hilos, without waiting for long', async (t) => {
  const moods = [
    [407, 'upstream_unavailable', 'UND_ERR_ABORTED'],
    [502, 'upstream_unavailable', 'UND_ERR_ABORTED'],
    ['hanging', 'upstream_timeout', 'UND_ERR_CONNECT_TIMEOUT'],
  ] as const
  for (const [mood, expected, reason] of moods) {
    const { baseUrl, secret, requests } = await arrangeTunnel(t, 'rightHost', mood)
    const { code, facts } = await failureOf(createClient(t, baseUrl, { proxy: secret, connectTimeoutMs: 300 }).call())
    t.strictSame([code, facts, requests], [expected, { reason }, []])
  }
})

t.test('keys are fetched through a tunnel, or without a proxy', async (t) => {
  const { baseUrl, secret, proxy, host } = await arrangeTunnel(t, 'rightHost')
  for (const [given, tunnels] of [
    [secret, [`CONNECT ${host}`]],
    [null, []],
  ] as const) {
    proxy.requests.length = 0
    const response = await createFetch(baseUrl, { proxy: given, connectTimeoutMs: 1000 })(`${baseUrl}/keys`)
    t.equal(await response.text(), '{"contact":{}}')
    t.strictSame(proxy.requests, tunnels)
  }
})
