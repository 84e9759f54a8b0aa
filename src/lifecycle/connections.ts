import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Clock, systemClock } from '../common/clock.ts'
import { createLifecycle, type Lifecycle } from './lifecycle.ts'

export interface ConnectionLimits {
  /**
   * Beyond it, the connection that has been idle for longest is closed, or the new one if none is idle. Without a good
   * credential, it counts as idle for `strangerKeepAliveMs` longer.
   */
  readonly maxConnections: number
  /** A connection that is idle for this long is closed. */
  readonly keepAliveMs: number
  /** The same after a request, while no good credential has been shown on the connection. */
  readonly strangerKeepAliveMs: number
  /**
   * A connection with a request in flight is closed when it has carried nothing for this long. While a response is sent, it is
   * closed after half to all of this time.
   */
  readonly silentSocketMs: number
  /** The time in which a request line and its headers must arrive. */
  readonly headersTimeoutMs: number
  /** Requests of one connection that are worked on at once. */
  readonly maxUnanswered: number
  /** Requests beyond them that have been read and wait for their turn. With one more, the connection is closed. */
  readonly maxWaiting: number
  /** How long a connection is read after its last response, so that the client gets to read that response. */
  readonly lingerMs: number
}

export interface ConnectionsOptions {
  /** Called for each connection that is closed on arrival. */
  readonly onDrop?: () => void
  /** Counts the requests. While it drains, each response closes its connection. */
  readonly lifecycle?: Lifecycle
  readonly clock?: Pick<Clock, 'elapsed' | 'schedule'>
}

export interface Connection {
  readonly socket: Socket
  /** The responses in flight, in the order of their requests. */
  readonly responses: ServerResponse[]
  /** Begin the work on the requests that wait for their turn. */
  readonly waiting: (() => void)[]
  /** Whether a good credential was shown on it. */
  isTrusted: boolean
  /** The bytes that it had received when it became idle. If it has received more, a request is on its way. */
  bytesAtIdle: number
  /** When it became idle, on the monotonic clock. */
  idleSince: number
}

type Handle = (request: IncomingMessage, response: ServerResponse) => void

export type Connections = Readonly<ReturnType<typeof createConnections>>

/** As Node.js does by default, so that a client that uses all of the time in `Keep-Alive` loses no request. */
const keepAliveBufferMs = 1000

/** The connections of one server: how many there are, how much they may ask at once, and when each is closed. */
export function createConnections(limits: ConnectionLimits, options: ConnectionsOptions = {}) {
  const { onDrop, lifecycle = createLifecycle(), clock = systemClock } = options
  /** Those without a response in flight are in the order in which they became idle. */
  const connections = new Map<Socket, Connection>()
  /** Responses that do not count as requests in flight. */
  const streams = new WeakSet<ServerResponse>()
  /** For how much longer than usual a connection may be silent because of these responses, in milliseconds. */
  const held = new WeakMap<ServerResponse, number>()

  function accept(socket: Socket): void {
    if (connections.size >= limits.maxConnections && !closeIdle()) {
      socket.destroy()
      onDrop?.()
      return
    }
    const usual = { isTrusted: false, bytesAtIdle: 0, idleSince: clock.elapsed() }
    const connection: Connection = { socket, responses: [], waiting: [], ...usual }
    connections.set(socket, connection)
    // Browsers and load balancers open connections in advance, so the first request may take as long as any other.
    socket.setTimeout(limits.keepAliveMs + keepAliveBufferMs)
    // Node.js calls this after the last response. Its own version resets the connection if the client still sends, and the
    // client loses the response (https://www.rfc-editor.org/rfc/rfc9112#section-9.6).
    socket.destroySoon = () => linger(connection)
    socket.once('close', () => forget(connection))
    // Node.js drops its own listener at a CONNECT. Without any, a connection that is reset would end the process.
    socket.on('error', () => {})
  }

  function forget(connection: Connection): void {
    connections.delete(connection.socket)
    connection.waiting.length = 0
  }

  function closeIdle(): boolean {
    const closed = longestIdle()
    if (closed === undefined) return false
    forget(closed)
    closed.socket.destroy()
    return true
  }

  function longestIdle(): Connection | undefined {
    let trusted: Connection | undefined
    for (const each of connections.values()) {
      // There may be thousands of trusted ones, and all of them are passed for each new connection.
      if (each.responses.length > 0 || (trusted && each.isTrusted)) continue
      // One that has just been opened is a stranger, too: it does not make room in place of one that has been idle for long.
      if (trusted && each.idleSince - limits.strangerKeepAliveMs > trusted.idleSince) break
      if (!makesRoom(each)) continue
      if (!each.isTrusted) return each
      trusted ??= each
    }
    return trusted
  }

  /** Whether its request is not on its way. One that has not sent it in time may be sending empty lines for ever. */
  function makesRoom({ socket, bytesAtIdle, idleSince }: Connection): boolean {
    return socket.bytesRead === bytesAtIdle || clock.elapsed() - idleSince > limits.headersTimeoutMs
  }

  function begin(request: IncomingMessage, response: ServerResponse, handle: Handle): void {
    const connection = connections.get(request.socket) as Connection
    const { socket, responses, waiting } = connection
    if (!connection.isTrusted) announceKeepAlive(response, limits.strangerKeepAliveMs)
    responses.push(response)
    lifecycle.requestBegan()
    if (lifecycle.state() === 'draining') closeAfterLast(responses)
    // It is emitted once, when the response was sent or the caller has disconnected.
    response.on('close', () => end(connection, response))
    if (responses.length <= limits.maxUnanswered) handle(request, response)
    else if (waiting.push(() => handle(request, response)) > limits.maxWaiting) socket.destroy()
    // Node.js reads on after each request that it parses, and requests may have been answered when it has parsed them all.
    else queueMicrotask(() => regulate(connection))
    // Most responses are with the kernel by now.
    if (response.writableEnded && response.writableLength === 0) return
    limitSilence(connection)
    response.on('prefinish', () => limitSilence(connection))
  }

  function end(connection: Connection, response: ServerResponse): void {
    const { socket, responses, waiting } = connection
    responses.splice(responses.indexOf(response), 1)
    if (!streams.has(response)) lifecycle.requestEnded()
    if (socket.destroyed) return
    waiting.shift()?.()
    if (responses.length === 0) beginIdle(connection)
    else limitSilence(connection)
    regulate(connection)
  }

  /** Reads no further requests while some wait. */
  function regulate({ socket, responses }: Connection): void {
    if (responses.length > limits.maxUnanswered) socket.pause()
    else socket.resume()
  }

  function limitSilence({ socket, responses }: Connection): void {
    // Node.js finds out in the second of two such periods that a client reads nothing of what waits to be sent.
    const usualMs = responses[0]?.writableEnded ? limits.silentSocketMs / 2 : limits.silentSocketMs
    const heldMs = responses.map((each) => (each.writableEnded ? 0 : (held.get(each) ?? 0)))
    socket.setTimeout(usualMs + Math.max(0, ...heldMs))
  }

  function beginIdle(connection: Connection): void {
    const { socket, isTrusted } = connection
    connection.bytesAtIdle = socket.bytesRead
    connection.idleSince = clock.elapsed()
    connections.delete(socket)
    connections.set(socket, connection)
    // For the others, Node.js has set the usual time.
    if (!isTrusted) socket.setTimeout(limits.strangerKeepAliveMs + keepAliveBufferMs)
  }

  /** Sends the rest, then discards what the client sends until it closes its end, or for a limited time. */
  function linger({ socket, waiting }: Connection): void {
    waiting.length = 0
    socket.end()
    socket.removeAllListeners('data')
    socket.on('data', () => {}).resume()
    socket.once(
      'close',
      clock.schedule(() => socket.destroy(), limits.lingerMs),
    )
  }

  return {
    /** Creates the server of these connections. It does not listen yet. */
    createServer: (serverOptions: ServerOptions, handle: Handle): Server =>
      createServer(serverOptions, (request, response) => begin(request, response, handle)).on('connection', accept),
    all: (): Iterable<Connection> => connections.values(),
    /** This response is a stream: from now on it counts as no request in flight, because it may last as long as the process. */
    countAsStream: (response: ServerResponse): void => {
      if (response.closed) return
      streams.add(response)
      lifecycle.requestEnded()
    },
    /** This response is held: until it is sent, its connection may be silent for so much longer, in milliseconds. */
    allowSilence: (response: ServerResponse, ms: number): void => {
      held.set(response, ms)
      const connection = connections.get(response.socket as Socket)
      if (connection) limitSilence(connection)
    },
    /** A good credential was shown on the connection of this request. */
    trust: ({ socket }: IncomingMessage): void => {
      const connection = connections.get(socket)
      if (connection === undefined || connection.isTrusted) return
      connection.isTrusted = true
      for (const response of connection.responses) announceKeepAlive(response, limits.keepAliveMs)
    },
  }
}

/** Node.js makes the header `Keep-Alive` of this property, which is not documented. */
function announceKeepAlive(response: ServerResponse, keepAliveMs: number): void {
  Object.assign(response, { _keepAliveTimeout: keepAliveMs })
}

/**
 * Closes a connection after the last of its responses in flight. After an earlier one, those behind it would be lost
 * (https://www.rfc-editor.org/rfc/rfc9112#section-9.6).
 */
export function closeAfterLast(responses: readonly ServerResponse[]): void {
  for (const response of responses) if (!response.headersSent) response.removeHeader('connection')
  const last = responses.at(-1)
  if (last && !last.headersSent) last.setHeader('connection', 'close')
}
