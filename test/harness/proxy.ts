import { once } from 'node:events'
import { createServer, STATUS_CODES } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Test } from 'tap'

/** What the proxy does with a CONNECT: opens the tunnel, answers with a status, or does not answer. */
export type ProxyMood = 'tunnelling' | 'hanging' | number

/**
 * A proxy on a free port of loopback that records what it is asked for. It opens each tunnel to one port of loopback, so a
 * test can use any host name. A request that is not a CONNECT gets a key set of the proxy's own.
 */
export async function createProxy(t: Test, targetPort = 0, mood: ProxyMood = 'tunnelling') {
  const [requests, heads, sockets]: [string[], string[], Socket[]] = [[], [], []]
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    response.end('{"keys":[]}')
  })
  server.on('connection', (socket) => sockets.push(socket))
  server.on('connect', ({ url, headers }, socket: Socket) => {
    requests.push(`CONNECT ${url}`)
    heads.push(JSON.stringify(headers))
    socket.on('error', () => {})
    if (mood === 'hanging') return
    if (mood !== 'tunnelling') {
      socket.end(`HTTP/1.1 ${mood} ${STATUS_CODES[mood]}\r\ncontent-length: 0\r\n\r\n`)
      return
    }
    const target = connect(targetPort, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      socket.pipe(target).pipe(socket)
    })
    target.on('error', () => socket.destroy())
    sockets.push(target)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Method and target of each request. */
    requests,
    /** The headers of each CONNECT, as JSON. */
    heads,
  }
}
