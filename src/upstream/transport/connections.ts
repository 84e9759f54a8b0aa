import { Agent, type Dispatcher, fetch as fetchThrough, Pool, ProxyAgent } from 'undici'
import type { Clock } from '../../common/clock.ts'
import type { HilosSettings } from '../hilos-settings.ts'

/** How to get to a server. */
type WayOptions = Pick<HilosSettings, 'proxy' | 'connectTimeoutMs'>

export interface ConnectionsOptions
  extends Pick<
    HilosSettings,
    'baseUrl' | 'proxy' | 'connectTimeoutMs' | 'timeoutMs' | 'maxConnections' | 'maxBodyBytes'
  > {
  readonly clock: Pick<Clock, 'elapsed'>
}

/** Where a request is sent. */
export interface Route {
  readonly dispatcher: Dispatcher
  /** How long to wait until the request is written to a connection. */
  readonly connectTimeoutMs: number
  /** Whether its connections are kept, and an answer has come from one of them. */
  hasAnswered: boolean
}

/** Kept connections are replaced after this time. */
const longestLifeMs = 60_000
/** After a failed call, they are replaced after this time. */
const leastLifeMs = 2000

/** The connections to Hilos. */
export type Connections = Readonly<ReturnType<typeof createConnections>>

/**
 * Opens connections to Hilos: HTTP/1.1 without pipelining, so that no answer can be taken for another one. Certificates are
 * verified whatever the environment says. The caller sets deadlines: those of undici are per chunk.
 *
 * The name of Hilos is looked up for each new connection, and for nothing else. So kept connections are replaced from time
 * to time, and after a failure: Hilos may have moved, while the old server still answers, wrongly.
 */
export function createConnections(options: ConnectionsOptions) {
  const { maxConnections, maxBodyBytes, timeoutMs, clock } = options
  const open = new Set<Dispatcher>()

  function openDispatcher(connectTimeoutMs: number, pipelining: number): Dispatcher {
    const limits = { connections: maxConnections, pipelining, maxResponseSize: maxBodyBytes }
    const dispatcher = createDispatcher(options.baseUrl, { ...options, connectTimeoutMs }, limits)
    open.add(dispatcher)
    return dispatcher
  }

  const openKept = () => ({
    dispatcher: openDispatcher(options.connectTimeoutMs, 1),
    connectTimeoutMs: options.connectTimeoutMs,
    openedAt: clock.elapsed(),
    hasAnswered: false,
  })
  let kept = openKept()
  /** Whether a call on them has failed. */
  let isDoubted = false
  /** 0 means a connection for each request in undici. The deadline of the call limits the time to connect. */
  const fresh = openDispatcher(timeoutMs, 0)

  /** Calls that are under way end on the old connections. */
  function renew(): void {
    const { dispatcher } = kept
    kept = openKept()
    isDoubted = false
    const forget = () => open.delete(dispatcher)
    // It fails when it is destroyed in the meantime.
    dispatcher.close().then(forget, forget)
  }

  return {
    /** Connections that are kept alive and used again. */
    kept: (): Route => {
      if (clock.elapsed() - kept.openedAt >= (isDoubted ? leastLifeMs : longestLifeMs)) renew()
      return kept
    },
    /** A new connection for each request: for a request that is repeated. */
    fresh: (): Route => ({ dispatcher: fresh, connectTimeoutMs: timeoutMs, hasAnswered: false }),
    /** Lets the next calls open new connections. */
    renew,
    /** Does the same after a failed call, but not after each of many. */
    renewAfterFailure: () => {
      isDoubted = true
    },
    /** Closes all connections and aborts the calls on them. */
    destroy: async () => {
      await Promise.all([...open].map((dispatcher) => dispatcher.destroy()))
    },
  }
}

/**
 * Sends a request on these connections, and calls `onSent` when they begin to write it, after a new connection was opened.
 * Until its body has arrived, `end` ends it with a reason: as an AbortSignal does, in less time and without waiting for the
 * connection.
 */
export function startRequest(connections: Dispatcher, request: Dispatcher.RequestOptions, onSent: () => void) {
  const { promise: response, resolve, reject } = Promise.withResolvers<Dispatcher.ResponseData>()
  let started: Dispatcher.DispatchController | null = null
  let endedBy: Error | null = null
  const announcing = connections.compose((dispatch) => (options, handler) => {
    const onRequestStart = handler.onRequestStart?.bind(handler)
    handler.onRequestStart = (controller, context) => {
      if (endedBy !== null) return controller.abort(endedBy)
      started = controller
      onSent()
      onRequestStart?.(controller, context)
    }
    return dispatch(options, handler)
  })
  announcing.request(request).then(resolve, reject)
  const end = (reason: Error) => {
    endedBy = reason
    reject(reason)
    started?.abort(reason)
  }
  return { response, end }
}

/** Returns a `fetch` for one server that uses this proxy, or none whatever the environment says. */
export function createFetch(server: string, options: WayOptions): typeof fetch {
  const dispatcher = createDispatcher(server, options, {})
  // The types of undici and of Node.js describe the same function.
  return ((url: string, init: object) => fetchThrough(url, { ...init, dispatcher })) as typeof fetch
}

/** In a tunnel, the proxy sees the name of the server and nothing inside TLS. Plain http never goes through a proxy. */
function createDispatcher(server: string, { proxy, connectTimeoutMs: timeout }: WayOptions, limits: Agent.Options) {
  const tlsTo = (url: string) => ({ timeout, rejectUnauthorized: true, allowH2: false, servername: serverNameOf(url) })
  // A pool that may speak HTTP/2 opens one connection at first and lets all requests wait for it.
  const all = { ...limits, allowH2: false }
  if (proxy === null) return new Agent({ ...all, connect: tlsTo(server) })
  return new ProxyAgent({
    ...all,
    uri: proxy.reveal(),
    proxyTls: tlsTo(proxy.reveal()),
    requestTls: tlsTo(server),
    // A proxy that accepts a connection and does not answer must not hold it for long.
    clientFactory: (origin, options) => new Pool(origin, { ...options, allowH2: false, headersTimeout: timeout }),
  })
}

/** The name without the trailing dot of an absolute name of DNS (RFC 6066 section 3), which undici would send. */
function serverNameOf(url: string): string | undefined {
  return /^(.+)\.$/.exec(new URL(url).hostname)?.[1]
}
