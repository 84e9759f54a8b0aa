import { type Dispatcher, Pool } from 'undici'

export interface DispatcherOptions {
  /** Only its origin counts. */
  readonly baseUrl: string
  readonly connectTimeoutMs: number
  /** At once; further calls wait for one of them. */
  readonly maxConnections: number
}

/**
 * The connections to Hilos. HTTP/1.1 without pipelining, so that one answer can never be taken for another's;
 * certificates are verified whatever the environment says. Deadlines are the caller's: undici's own are per chunk.
 */
export function createDispatcher({ baseUrl, connectTimeoutMs, maxConnections }: DispatcherOptions): Dispatcher {
  return new Pool(new URL(baseUrl).origin, {
    connections: maxConnections,
    pipelining: 1,
    allowH2: false,
    connect: { timeout: connectTimeoutMs, rejectUnauthorized: true },
  })
}
