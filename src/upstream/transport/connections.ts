import { type Dispatcher, Pool } from 'undici'

export interface ConnectionsOptions {
  /** Only its origin counts. */
  readonly baseUrl: string
  readonly connectTimeoutMs: number
  /** At once, of each kind; further calls wait for one of them. */
  readonly maxConnections: number
  /** Of an answer as it comes over the wire. */
  readonly maxBodyBytes: number
}

/** The connections to Hilos. */
export interface Connections {
  /** Used again and again. */
  readonly kept: Dispatcher
  /** Used once, for what a kept one may have been closed under. */
  readonly fresh: Dispatcher
}

/**
 * HTTP/1.1 without pipelining, so that one answer can never be taken for another's; certificates are verified whatever
 * the environment says. Deadlines are the caller's: undici's own are per chunk.
 */
export function createConnections(options: ConnectionsOptions): Connections {
  const { baseUrl, connectTimeoutMs, maxConnections, maxBodyBytes } = options
  const pool = (pipelining: number) =>
    new Pool(new URL(baseUrl).origin, {
      connections: maxConnections,
      pipelining,
      allowH2: false,
      maxResponseSize: maxBodyBytes,
      connect: { timeout: connectTimeoutMs, rejectUnauthorized: true },
    })
  // undici: "pipelining: 0" is a connection for each request.
  return { kept: pool(1), fresh: pool(0) }
}
