import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream'

/**
 * The balancer of the demo: each request goes to the next replica, and each part of its response to the client as it arrives. The
 * header `x-replica` of a response says which replica sent it, counted from 1. A replica that fails is 502.
 * @param origins those of the replicas
 */
export function createBalancer(origins: readonly string[]) {
  let count = 0
  const server = createServer((incoming, outgoing) => {
    const index = count++ % origins.length
    const { hostname: host, port } = new URL(origins[index] as string)
    const { method, url: path, rawHeaders } = incoming
    // Without an agent, each request has a connection of its own: nothing is sent on one that the replica is about to close.
    const onward = request({ agent: false, host, port, method, path, headers: passed(rawHeaders) })
    onward.on('response', (reply) => {
      outgoing.writeHead(Number(reply.statusCode), [...passed(reply.rawHeaders), 'x-replica', `${index + 1}`])
      outgoing.flushHeaders()
      pipeline(reply, outgoing, () => {})
    })
    onward.on('error', () => {
      if (outgoing.headersSent) outgoing.destroy()
      else outgoing.writeHead(502, { 'x-replica': index + 1 }).end('This replica does not answer.\n')
    })
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  })
  return {
    /**
     * Returns its origin.
     * @throws the error of `listen`, for example EADDRINUSE
     */
    listen: async (listener: { readonly host: string; readonly port: number }): Promise<string> => {
      await once(server.listen(listener), 'listening')
      const { address, port } = server.address() as AddressInfo
      return `http://${address.replace(/.*:.*/, '[$&]')}:${port}`
    },
    /** Cuts all connections. */
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** Names and values in turn, without those of one connection. */
function passed(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, at) => !/^(connection|keep-alive)$/i.test(rawHeaders[at - (at % 2)] as string))
}
