import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import tls, { type TlsOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { uuid } from '../../../sandbox/parts.ts'
import { type ConnectionsOptions, createConnections } from '../../../src/upstream/transport/connections.ts'
import { throwawayCertificates, throwawayKey } from '../../harness/certificate.ts'
import {
  type Answer,
  closed,
  contactId,
  createClient,
  failureOf,
  jsonResponse,
  startRawHilos,
  token,
} from '../raw-hilos.ts'

async function listen(t: Test, server: Server): Promise<string> {
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const minimal = jsonResponse('{"contact":{}}')

t.test('connections, when an answer was read to its end, are used for the next request', async (t) => {
  const { baseUrl, sockets, requests } = await startRawHilos(t, (socket) => socket.write(minimal))
  const { getExecutionContact } = createClient(t, baseUrl)
  for (let index = 0; index < 10; index += 1) t.ok(await getExecutionContact(contactId))
  t.equal(requests.length, 10)
  // One, or two where the next call comes before undici has taken the first one back.
  t.ok(sockets.length <= 2, `${sockets.length} connections`)
})

const kinds = ['kept', 'fresh'] as const

async function arrangeConnections(t: Test, answer: Answer, overrides: Partial<ConnectionsOptions> = {}) {
  const hilos = await startRawHilos(t, answer)
  const connections = createConnections({
    baseUrl: hilos.baseUrl,
    connectTimeoutMs: 1000,
    maxConnections: 2,
    maxBodyBytes: 1000,
    ...overrides,
  })
  t.teardown(() => Promise.all(kinds.map((kind) => connections[kind].destroy())))
  const ask = async (kind: (typeof kinds)[number]) => {
    const { body } = await connections[kind].request({ path: '/', method: 'GET' })
    return (await body.text()).length
  }
  return { ...hilos, ask }
}

t.test('fresh connections, when an answer was read to its end, are closed and never used again', async (t) => {
  const { ask, requests, sockets } = await arrangeConnections(t, (socket) => socket.write(minimal))
  for (let index = 0; index < 5; index += 1) {
    t.equal(await ask('fresh'), 14)
    await closed(sockets.at(-1))
  }
  await Promise.all(Array.from({ length: 5 }, () => ask('fresh')))
  t.equal(requests.length, 10)
  t.equal(sockets.length, 10)
  for (const request of requests) t.match(request, /\r\nconnection: close\r\n/i)
  for (const socket of sockets) await closed(socket)
})

for (const kind of kinds)
  t.test(
    `${kind} connections, when more are wanted than allowed, are as many as allowed, one request on each`,
    async (t) => {
      const waiting = new Set<Socket>()
      let most = 0
      const { ask, requests } = await arrangeConnections(t, (socket) => {
        t.notOk(waiting.has(socket), 'no request is sent on a connection that owes an answer')
        waiting.add(socket)
        most = Math.max(most, waiting.size)
        setTimeout(() => {
          waiting.delete(socket)
          socket.write(minimal)
        }, 10)
      })
      await Promise.all(Array.from({ length: 7 }, () => ask(kind)))
      t.equal(requests.length, 7)
      t.equal(most, 2)
    },
  )

for (const kind of kinds)
  t.test(`a body on ${kind} connections, when larger than allowed, is broken off`, async (t) => {
    const answers = [1000, 1001].map((length) => jsonResponse('x'.repeat(length)))
    for (const [index, answer] of answers.entries()) {
      const { ask, sockets } = await arrangeConnections(t, (socket) => socket.write(answer))
      if (index === 0) t.equal(await ask(kind), 1000)
      else {
        await t.rejects(ask(kind), { code: 'UND_ERR_RES_EXCEEDED_MAX_SIZE' })
        await closed(sockets[0])
      }
    }
  })

t.test(
  'fresh connections, when a certificate is not trusted, are not made, whatever the environment says',
  async (t) => {
    t.teardown(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED)
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    const hilos = await startRawHilos(t, minimal, { key: throwawayKey, cert: throwawayCertificates.rightHost })
    const { fresh } = createConnections({
      baseUrl: hilos.baseUrl,
      connectTimeoutMs: 1000,
      maxConnections: 1,
      maxBodyBytes: 1000,
    })
    t.teardown(() => fresh.destroy())
    await t.rejects(fresh.request({ path: '/', method: 'GET' }), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    t.strictSame(hilos.requests, [])
  },
)

t.test('calls, when more than sixteen at once, wait for one of sixteen connections, one on each', async (t) => {
  const waiting: Socket[] = []
  const finishAll = () => {
    for (const socket of waiting.splice(0)) socket.write(minimal.subarray(-1))
  }
  const { baseUrl, sockets, requests } = await startRawHilos(t, (socket) => {
    t.notOk(waiting.includes(socket), 'no request is sent on a connection that owes an answer')
    waiting.push(socket)
    socket.write(minimal.subarray(0, -1))
    // The first sixteen are held for a little, so that a seventeenth has the time to come too early.
    if (requests.length >= 16) setTimeout(finishAll, requests.length === 16 ? 30 : 0)
  })
  const { getExecutionContact } = createClient(t, baseUrl)
  const ids = Array.from({ length: 40 }, (_, index) => uuid(index, index))
  const documents = await Promise.all(ids.map((id) => getExecutionContact(id)))
  t.strictSame(
    documents.map((document) => document?.id),
    ids,
  )
  t.equal(requests.length, 40)
  t.equal(sockets.length, 16)
})

t.test('an answer, when it comes twice, is not taken for the answer to the next request', async (t) => {
  const { baseUrl, requests } = await startRawHilos(t, (socket) => {
    const answer = (status: string) => jsonResponse(`{"contact":{},"status":"${status}"}`)
    socket.write(requests.length === 1 ? Buffer.concat([answer('READY'), answer('FAILED')]) : answer('RUNNING'))
  })
  const { getExecutionContact } = createClient(t, baseUrl)
  t.equal((await getExecutionContact(contactId))?.status, 'READY')
  t.equal((await getExecutionContact(contactId))?.status, 'RUNNING')
})

t.test('a connection, when refused, is a failure', async (t) => {
  const server = createServer()
  const origin = await listen(t, server)
  await once(server.close(), 'close')
  const { getExecutionContact } = createClient(t, origin)
  const { code, facts } = await failureOf(t, getExecutionContact(contactId))
  t.equal(code, 'upstream_unavailable')
  t.strictSame(facts, { reason: 'ECONNREFUSED' })
})

t.test('a connection, when it is not established within a second, is a timeout long before the deadline', async (t) => {
  const { baseUrl, requests } = await startRawHilos(t, '')
  const { getExecutionContact } = createClient(t, baseUrl.replace('http:', 'https:'))
  const startedMs = performance.now()
  const { code, facts } = await failureOf(t, getExecutionContact(contactId))
  const tookMs = performance.now() - startedMs
  t.equal(code, 'upstream_timeout')
  t.match(facts, { reason: 'UND_ERR_CONNECT_TIMEOUT' })
  t.ok(tookMs > 900 && tookMs < 4000, `${Math.round(tookMs)} ms`)
  t.strictSame(requests, [])
})

type Certificate = keyof typeof throwawayCertificates

/** An upstream behind TLS, and a client that trusts, beside nobody else, who is named. */
async function arrangeTls(t: Test, certificate: Certificate, isTrusted: boolean) {
  const cert = throwawayCertificates[certificate]
  const offered: string[][] = []
  const options: TlsOptions = {
    key: throwawayKey,
    cert,
    ALPNCallback: ({ protocols }) => {
      offered.push(protocols)
      return 'http/1.1'
    },
  }
  const trustedBefore = tls.getCACertificates('default')
  t.teardown(() => tls.setDefaultCACertificates(trustedBefore))
  tls.setDefaultCACertificates(isTrusted ? [cert] : [])
  const hilos = await startRawHilos(t, (socket) => socket.write(minimal), options)
  return { ...hilos, offered, ...createClient(t, hilos.baseUrl) }
}

t.test('Hilos, when its certificate is trusted, is asked over HTTP/1.1', async (t) => {
  const { getExecutionContact, requests, offered } = await arrangeTls(t, 'rightHost', true)
  t.ok(await getExecutionContact(contactId))
  t.equal(requests.length, 1)
  t.strictSame(offered, [['http/1.1']])
})

const untrusted = [
  ['rightHost', false, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['wrongHost', true, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['expired', true, 'CERT_HAS_EXPIRED'],
] as const
for (const [certificate, isTrusted, reason] of untrusted)
  for (const rejectUnauthorized of ['1', '0'])
    t.test(
      `Hilos, when its certificate gives ${reason} and NODE_TLS_REJECT_UNAUTHORIZED is ${rejectUnauthorized}, is sent nothing`,
      async (t) => {
        t.teardown(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED)
        process.env.NODE_TLS_REJECT_UNAUTHORIZED = rejectUnauthorized
        const { getExecutionContact, requests, sockets } = await arrangeTls(t, certificate, isTrusted)
        const { code, facts } = await failureOf(t, getExecutionContact(contactId))
        t.equal(code, 'upstream_untrusted')
        t.strictSame(facts, { reason })
        t.equal(sockets.length, 1)
        t.strictSame(requests, [])
      },
    )

t.test('Hilos, when it speaks no TLS where it should, is sent a handshake and nothing else', async (t) => {
  const received: Buffer[] = []
  const origin = await listen(
    t,
    createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', (chunk) => {
        received.push(chunk)
        socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
      })
    }),
  )
  const { getExecutionContact } = createClient(t, origin.replace('http:', 'https:'))
  const { code } = await failureOf(t, getExecutionContact(contactId))
  t.equal(code, 'upstream_untrusted')
  t.equal(received.length, 1)
  t.notOk(Buffer.concat(received).includes(token))
})
