import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import process from 'node:process'
import type { Environment } from '../src/config/settings.ts'
import { newCacheKeys } from '../src/setup/keygen.ts'
import { startValkeyServer, valkeyServer } from './valkey-server.ts'

export type DemoTier = NonNullable<Awaited<ReturnType<typeof startDemoTier>>>

/**
 * Starts what the replicas of the demo share: a server of their own, with new keys to what they keep there.
 * @returns with the settings of the replicas; null if no server is installed, or `VALKEY_SERVER` is empty
 * @throws Error if the server does not start
 */
export async function startDemoTier(replicas: number) {
  if (!valkeyServer) return null
  const { port, pid, remove } = await startValkeyServer(valkeyServer, await freePort(), [
    '--maxmemory',
    '64mb',
    '--maxmemory-policy',
    'allkeys-lru',
  ])
  const folder = mkdtempSync(join(tmpdir(), 'hilos-bff-demo-'))
  process.once('exit', () => rmSync(folder, { recursive: true }))
  const cacheKeyFile = join(folder, 'cache-keys.json')
  writeFileSync(cacheKeyFile, newCacheKeys(), { mode: 0o600 })
  const settings: Environment = {
    REDIS_URL: `redis://127.0.0.1:${port}`,
    CACHE_KEY_FILE: cacheKeyFile,
    REPLICAS_EXPECTED: String(replicas),
  }
  return { name: basename(valkeyServer), port, pid: pid(), settings, close: remove }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
