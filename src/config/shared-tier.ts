import { X509Certificate } from 'node:crypto'
import { Secret } from '../common/secret.ts'
import { type CacheKeys, parseCacheKeys } from './cache-keys.ts'
import { applicable, isLoopback } from './checks.ts'
import type { SharedTierLimits } from './limits.ts'
import { parseRedisUrl, type RedisUrl } from './redis-url.ts'
import { contentOf, type Environment, mustBe, type SettingsFiles } from './settings.ts'

/** The shared tier. */
export interface SharedTierConfig extends SharedTierLimits {
  readonly server: RedisUrl & {
    /** Certificates in PEM that are trusted instead of those of Node.js. */
    readonly ca: string | null
  }
  readonly keyPrefix: string
  /** Those at the start. */
  readonly cacheKeys: CacheKeys
  /** The file of the keys, to be watched; null when it is a pipe. */
  readonly cacheKeyFile: string | null
  /** The text of that file at the start. */
  readonly cacheKeyText: Secret
  /** The most replicas that there may be. */
  readonly expectedReplicas: number
}

export type SharedTierParts = Pick<SharedTierConfig, 'server' | 'cacheKeys' | 'cacheKeyText'>

/**
 * Reads what belongs to the shared tier. Null without one, and if there is a problem, which is added to `problems`.
 * @param given the environment without the secrets in files
 * @param url the value of `REDIS_URL`, also from its file
 */
export function readSharedTier(
  given: Environment,
  url: string | undefined,
  files: SettingsFiles,
  problems: string[],
): SharedTierParts | null {
  if ((given.REDIS_URL ?? given.REDIS_URL_FILE) === undefined) return null
  if ((given.CONTACT_REF_KEY ?? given.CONTACT_REF_KEY_FILE) === undefined) problems.push(noRefKey)
  const server = url === undefined ? null : parseRedisUrl(url)
  if (url !== undefined && server === null) problems.push(mustBe('REDIS_URL'))
  const ca = readCertificates(given, files, problems)
  const keys = readCacheKeys(given, files, problems)
  return server && keys && { server: { ...server, ca }, ...keys }
}

const noRefKey =
  'CONTACT_REF_KEY: must be set with REDIS_URL, because replicas with other pseudonyms cannot share contacts'
const noCacheKeys = 'CACHE_KEY_FILE: must be set with REDIS_URL, because nothing is shared unsealed'

function readCacheKeys(given: Environment, files: SettingsFiles, problems: string[]) {
  if (given.CACHE_KEY_FILE === undefined) {
    problems.push(noCacheKeys)
    return null
  }
  const content = contentOf(files, 'CACHE_KEY_FILE')
  const file = 'text' in content ? parseCacheKeys(content.text) : { problems: [content.problem] }
  if ('problems' in file) problems.push(...file.problems.map((problem) => `CACHE_KEY_FILE: ${problem}`))
  return 'text' in content && 'keys' in file ? { cacheKeys: file.keys, cacheKeyText: new Secret(content.text) } : null
}

function readCertificates(given: Environment, files: SettingsFiles, problems: string[]): string | null {
  if (given.REDIS_CA_FILE === undefined) return null
  const content = contentOf(files, 'REDIS_CA_FILE')
  if ('text' in content && areCertificates(content.text)) return content.text
  problems.push(`REDIS_CA_FILE: ${'text' in content ? 'must hold certificates in PEM' : content.problem}`)
  return null
}

/** Whether each block is one. TLS would ignore what it cannot read, and trust fewer than are meant. */
function areCertificates(text: string): boolean {
  const blocks = text.split(/(?=-----BEGIN )/).filter((block) => block.startsWith('-----BEGIN '))
  try {
    return blocks.map((block) => new X509Certificate(block)).length > 0
  } catch {
    return false
  }
}

/** Warnings about valid settings of the shared tier, one sentence each. */
export function sharedTierWarnings(given: Environment, tier: SharedTierParts | null): string[] {
  const isLocal = tier?.server.hosts.every(({ host }) => isLoopback(host))
  return applicable({
    'CACHE_KEY_FILE is not used, because REDIS_URL is not set': tier === null && given.CACHE_KEY_FILE !== undefined,
    'REDIS_CA_FILE is not used, because REDIS_URL does not begin with rediss':
      tier?.server.tls !== true && given.REDIS_CA_FILE !== undefined,
    'REDIS_URL does not begin with rediss: the password, and what replicas tell each other, travel unencrypted to another machine':
      tier?.server.tls === false && isLocal === false,
    'REPLICAS_EXPECTED is not set: a replica that starts while the server is away takes all of HILOS_MAX_RPS for itself':
      tier !== null && given.REPLICAS_EXPECTED === undefined,
  })
}
