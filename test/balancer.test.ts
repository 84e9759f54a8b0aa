import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, request, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import t, { type Test } from 'tap'
import { createBalancer } from '../sandbox/balancer.ts'
import { freePort } from './harness/free-port.ts'

async function startReplica(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function startBalancer(t: Test, ...origins: readonly string[]): Promise<string> {
  const balancer = createBalancer(origins)
  t.teardown(balancer.close)
  return balancer.listen({ host: '127.0.0.1', port: 0 })
}

t.test('requests go to the replicas in turn, and the response says to which', async (t) => {
  const replica: RequestListener = (request, response) => {
    response.setHeader('Set-Cookie', ['one=1', 'two=2'])
    request.setEncoding('utf8').on('data', (body) => {
      const { method, url, headers } = request
      response.writeHead(202).end(JSON.stringify({ method, url, own: headers.own, body }))
    })
  }
  const origin = await startBalancer(t, await startReplica(t, replica), await startReplica(t, replica))
  const seen: (string | null)[] = []
  for (let count = 0; count < 3; count += 1) {
    const reply = await fetch(`${origin}/a?b=c`, { method: 'PUT', body: 'sent', headers: { own: 'header' } })
    seen.push(reply.headers.get('x-replica'))
    t.strictSame([reply.status, reply.headers.getSetCookie()], [202, ['one=1', 'two=2']])
    t.strictSame(await reply.json(), { method: 'PUT', url: '/a?b=c', own: 'header', body: 'sent' })
  }
  t.strictSame(seen, ['1', '2', '1'])
})

t.test('a stream arrives part by part, and ends at the replica when the client goes', async (t) => {
  const arrived = Promise.withResolvers<ServerResponse>()
  const origin = await startBalancer(
    t,
    await startReplica(t, (_request, response) => {
      response.writeHead(200).flushHeaders()
      arrived.resolve(response)
    }),
  )
  const client = new AbortController()
  const reply = await fetch(origin, { signal: client.signal })
  t.equal(reply.status, 200, 'the headers do not wait for the body')
  const response = await arrived.promise
  const reader = reply.body?.pipeThrough(new TextDecoderStream()).getReader()
  for (const part of ['one', 'two']) {
    response.write(part)
    t.equal((await reader?.read())?.value, part)
  }
  const gone = once(response, 'close')
  client.abort()
  await gone
  t.equal(response.writableFinished, false)
})

t.test('a replica that does not answer is 502, and one that breaks off cuts the response', async (t) => {
  const away = `http://127.0.0.1:${await freePort()}`
  const broken = (breakOff: (response: ServerResponse) => void) =>
    startReplica(t, (_request, response) => {
      response.writeHead(200, { 'content-length': 10 }).write('half', () => breakOff(response))
    })
  const closes = await broken((response) => response.destroy())
  const resets = await broken(({ socket }) => (socket as Socket).resetAndDestroy())
  const origin = await startBalancer(t, away, closes, resets)
  const refused = await fetch(origin)
  t.strictSame([refused.status, refused.headers.get('x-replica')], [502, '1'])
  for (const way of ['closes', 'resets']) {
    const [reply]: IncomingMessage[] = await once(request(origin).end(), 'response')
    reply?.resume()
    t.match((await once(reply as IncomingMessage, 'error'))[0], { code: 'ECONNRESET' }, way)
  }
})
