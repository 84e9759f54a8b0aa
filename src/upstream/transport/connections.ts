import { Agent, type Dispatcher, fetch as fetchThrough, Pool, ProxyAgent } from 'undici'
import type { HilosSettings } from '../hilos-settings.ts'

type ProxyOptions = Pick<HilosSettings, 'proxy' | 'connectTimeoutMs'>
export type ConnectionsOptions = ProxyOptions & Pick<HilosSettings, 'maxConnections' | 'maxBodyBytes'>

/** The connections to Hilos. */
export type Connections = Readonly<ReturnType<typeof createConnections>>

/**
 * Opens connections to Hilos: HTTP/1.1 without pipelining, so that no answer can be taken for another
 * one. Certificates are verified whatever the environment says. The caller sets deadlines: those of undici are per chunk.
 */
export function createConnections(options: ConnectionsOptions) {
  const { maxConnections, maxBodyBytes } = options
  const connections = (pipelining: number) =>
    createDispatcher(options, { connections: maxConnections, pipelining, maxResponseSize: maxBodyBytes })
  return {
    /** Connections that are kept alive and used again. */
    kept: connections(1),
    /** A new connection for each request, which is what 0 means in undici: for a retry after Hilos has closed a kept one. */
    fresh: connections(0),
  }
}

/** Returns a `fetch` that uses this proxy, or none whatever the environment says. */
export function createFetch(options: ProxyOptions): typeof fetch {
  const dispatcher = createDispatcher(options, {})
  // The types of undici and of Node.js describe the same function.
  return ((url: string, init: object) => fetchThrough(url, { ...init, dispatcher })) as typeof fetch
}

/** In a tunnel, the proxy sees the name of the server and nothing inside TLS. Plain http never goes through a proxy. */
function createDispatcher({ proxy, connectTimeoutMs: timeout }: ProxyOptions, limits: Agent.Options): Dispatcher {
  const connect = { timeout, rejectUnauthorized: true, allowH2: false }
  if (proxy === null) return new Agent({ ...limits, connect })
  return new ProxyAgent({
    ...limits,
    uri: proxy.reveal(),
    proxyTls: connect,
    requestTls: connect,
    // A proxy that accepts a connection and does not answer must not hold it for long.
    clientFactory: (origin, options) => new Pool(origin, { ...options, headersTimeout: timeout }),
  })
}
