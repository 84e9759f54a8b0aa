import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { env } from 'node:process'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { startSentinel, startValkeyServer, type ValkeyServer, valkeyServer } from '../../sandbox/valkey-server.ts'
import type { ServerSettings } from '../../src/tier/valkey.ts'
import { freePort } from './free-port.ts'
import { poll } from './process.ts'

/**
 * The options of a test that needs a server: without one, it is skipped, and counted for the last line of `npm test`. With
 * `SHARED_TIER_TESTS=required` it runs and fails instead. Call it once for each test.
 */
export function needsServer(): { readonly skip?: string } {
  if (valkeyServer || env.SHARED_TIER_TESTS === 'required') return {}
  if (env.SKIPPED_FILE !== undefined) appendFileSync(env.SKIPPED_FILE, '.')
  return { skip: 'neither valkey-server nor redis-server is installed' }
}

/** Where a server on loopback is, for a user without a password, unless that is given. */
export const serverAt = (port: number, others: Partial<ServerSettings> = {}): ServerSettings => ({
  ...{ hosts: [{ host: '127.0.0.1', port }], sentinelName: null, username: null, password: null },
  ...{ database: 0, tls: false, ca: null },
  ...others,
})

/** A server that ends with the test. */
export interface TestServer extends ValkeyServer {
  /** Sends a command as the user `default`, without a password. */
  readonly ask: (command: string, ...args: (string | number)[]) => Promise<unknown>
}

/**
 * Starts a server, until the test ends.
 * @param args more of its settings
 */
export async function startServer(t: Test, args: readonly string[] = [], port?: number): Promise<TestServer> {
  return withAsk(t, await startValkeyServer(commandOrThrow(), port ?? (await freePort()), args))
}

/** Starts a primary, a replica of it, and a sentinel that watches both. Resolves when they know of each other. */
export async function startSentinels(t: Test, name: string) {
  // A replica gets the data at once, and can soon be made the primary.
  const args = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1']
  const primary = await startServer(t, args)
  const replica = await startServer(t, [...args, '--replicaof', '127.0.0.1', String(primary.port)])
  await poll(async () => /master_link_status:up/.test(String(await replica.ask('INFO', 'replication'))))
  const started = await startSentinel(commandOrThrow(), await freePort(), name, primary.port)
  const sentinel = withAsk(t, started)
  await poll(async () => /slaves=1/.test(String(await sentinel.ask('INFO', 'sentinel'))))
  return { primary, replica, sentinel }
}

/** Starts a server that speaks TLS only. */
export async function startTlsServer(t: Test, key: string, certificate: string): Promise<ValkeyServer> {
  const folder = t.testdir({ 'key.pem': key, 'certificate.pem': certificate })
  const [keyFile, certificateFile] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  const files = ['--tls-key-file', keyFile, '--tls-cert-file', certificateFile, '--tls-ca-cert-file', certificateFile]
  const port = await freePort()
  return startServer(t, ['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no', ...files], port)
}

function commandOrThrow(): string {
  if (!valkeyServer) throw new Error('Neither valkey-server nor redis-server is installed.')
  return valkeyServer
}

function withAsk(t: Test, server: ValkeyServer): TestServer {
  t.teardown(server.remove)
  const ask = async (command: string, ...args: (string | number)[]) => {
    const client = new Redis({ host: '127.0.0.1', port: server.port, lazyConnect: true, retryStrategy: null })
    client.on('error', () => {})
    try {
      await client.connect()
      return await client.call(command, ...args)
    } finally {
      client.disconnect()
    }
  }
  return { ...server, ask }
}
