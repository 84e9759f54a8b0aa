import { Pool } from 'undici'
import type { HilosSettings } from '../hilos-settings.ts'

export type ConnectionsOptions = Pick<HilosSettings, 'baseUrl' | 'connectTimeoutMs' | 'maxConnections' | 'maxBodyBytes'>

/** The connections to Hilos. */
export type Connections = Readonly<ReturnType<typeof createConnections>>

/**
 * Opens connections to the origin of `baseUrl`: HTTP/1.1 without pipelining, so that no answer can be taken for another
 * one. Certificates are verified whatever the environment says. The caller sets deadlines: those of undici are per chunk.
 */
export function createConnections(options: ConnectionsOptions) {
  const { baseUrl, connectTimeoutMs, maxConnections, maxBodyBytes } = options
  const pool = (pipelining: number) =>
    new Pool(new URL(baseUrl).origin, {
      connections: maxConnections,
      pipelining,
      allowH2: false,
      maxResponseSize: maxBodyBytes,
      connect: { timeout: connectTimeoutMs, rejectUnauthorized: true },
    })
  return {
    /** Connections that are kept alive and used again. */
    kept: pool(1),
    /** A new connection for each request, which is what 0 means in undici: for a retry after Hilos has closed a kept one. */
    fresh: pool(0),
  }
}
