import { randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import { parseCallers } from '../access/callers-file.ts'
import { Secret } from '../common/secret.ts'
import { checkSettings, isLoopback, warningsFor } from './checks.ts'
import {
  accessLimits,
  cacheLimits,
  cacheShares,
  contactLimits,
  hilosLimits,
  issuerLimits,
  longestIdleGraceMs,
  serverLimits,
  sharedTierLimits,
  sheddingLimits,
  streamLimits,
  watchLimits,
} from './limits.ts'
import { proxyFor, proxyProblems } from './proxy.ts'
import {
  contentOf,
  type Environment,
  listed,
  type Remarks,
  readSettings,
  type Settings,
  type SettingsFiles,
  withSecretsFromFiles,
} from './settings.ts'
import { readSharedTier, type SharedTierConfig, type SharedTierParts, sharedTierWarnings } from './shared-tier.ts'

/** The configuration of the service, checked and frozen. */
export type Config = Readonly<ReturnType<typeof configOf>>
export type Limits = Readonly<Config['limits']>
export type SheddingSettings = Readonly<Config['shedding']>

/** The settings are invalid. The message names every problem and no value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
    super(`hilos-bff cannot start, ${count} in its settings:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

/**
 * Checks the settings. An empty value counts as unset.
 * @param env the environment of the process
 * @param files the files that it names
 * @param constrainedMemoryBytes the value of `process.constrainedMemory()`: 0, or an impossibly large one, for no limit
 * @throws ConfigError with all problems at once
 */
export function loadConfig(env: Environment, constrainedMemoryBytes = 0, files: SettingsFiles = {}): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()))
  const remarks: Remarks = { problems: [], warnings: [], notes: [] }
  const { problems } = remarks
  const complete = withSecretsFromFiles(given, files, remarks)
  const settings = readSettings(complete, problems)
  // A pipe can be read only once, so it is not watched.
  const watched = Object.fromEntries(Object.entries(given).filter(([name]) => !files[name]?.seen?.isPipe))
  const callersFile = given.CALLERS_FILE === undefined ? null : readCallersFile(watched.CALLERS_FILE, files, problems)
  const sharedTier = readSharedTier(given, complete.REDIS_URL, files, problems)
  problems.push(...checkSettings(given), ...proxyProblems(given))
  if (settings === null || problems.length > 0) throw new ConfigError(problems)
  const memoryLimitBytes = memoryLimitOf(constrainedMemoryBytes)
  remarks.warnings.push(...warningsFor(given, memoryLimitBytes), ...sharedTierWarnings(given, sharedTier))
  return frozen(configOf(settings, given, watched, callersFile, sharedTier, memoryLimitBytes, remarks))
}

/** Returns the callers file with its text and its entries at the start. Problems are added to `problems`. */
function readCallersFile(path: string | undefined, files: SettingsFiles, problems: string[]) {
  const content = contentOf(files, 'CALLERS_FILE')
  const file = 'text' in content ? parseCallers(content.text) : { problems: [content.problem] }
  if ('problems' in file) problems.push(...file.problems.map((problem) => `CALLERS_FILE: ${problem}`))
  return 'text' in content && 'callers' in file
    ? { path: path ?? null, text: content.text, entries: file.callers }
    : null
}

function configOf(
  settings: Settings,
  given: Environment,
  watched: Environment,
  callersFile: ReturnType<typeof readCallersFile>,
  sharedTier: SharedTierParts | null,
  memoryLimitBytes: number | null,
  { warnings, notes }: Remarks,
) {
  const cacheBytes = (share: number) => Math.floor(settings.CACHE_MAX_BYTES * share)
  const absencesMaxBytes = cacheBytes(cacheShares.absences)
  const ownAbsencesMaxBytes = cacheBytes(cacheShares.ownAbsences)
  const renderingsMaxBytes = cacheBytes(cacheShares.renderings)
  const silentSocketMs = settings.HILOS_TIMEOUT_MS + 10_000
  const baseUrl = new URL(settings.HILOS_BASE_URL).href.replace(/\/+$/, '')
  const pseudonymKey = new Secret(settings.CONTACT_REF_KEY ?? unknownSecret())
  return {
    hilos: {
      token: new Secret(settings.HILOS_TOKEN),
      /** The file that holds the token, to be watched; null when the token itself was given, or a pipe. */
      tokenFile: watched.HILOS_TOKEN_FILE ?? null,
      /** The token to try when Hilos refuses the first. */
      nextToken: settings.HILOS_TOKEN_NEXT === undefined ? null : new Secret(settings.HILOS_TOKEN_NEXT),
      nextTokenFile: watched.HILOS_TOKEN_NEXT_FILE ?? null,
      baseUrl,
      proxy: proxyFor(baseUrl, given),
      timeoutMs: settings.HILOS_TIMEOUT_MS,
      // A retry needs half of the time, and the timers of undici can be a second late.
      connectTimeoutMs: settings.HILOS_TIMEOUT_MS * 0.3,
      maxCallsPerSecond: settings.HILOS_MAX_RPS,
      // A call that got a slot has at least the same time for itself.
      maxWaitMs: settings.HILOS_TIMEOUT_MS / 2,
      maxBodyBytes: settings.HILOS_MAX_BODY_BYTES,
      ...hilosLimits,
    },
    /** The callers' listener. With port 0 the system chooses one. */
    callers: { host: oneAddress(settings.HOST), port: settings.PORT },
    /** The operators' listener; null when it is turned off. */
    operators: settings.ADMIN_PORT === 0 ? null : operatorsOf(settings, given),
    access: {
      /** Null without a callers file. Its path is null when it is a pipe. */
      callersFile,
      /** The issuer of the access tokens that are accepted; null for none. */
      tokens: tokensOf(settings, given),
      /** Whether a request without a credential is served, with the profile `full`. */
      allowAnonymous: settings.DANGEROUSLY_ALLOW_ANONYMOUS,
      /** Requests of one caller per second, or of one address when callers are anonymous; 0 for no limit. */
      maxRequestsPerSecond: settings.CALLER_MAX_RPS,
      ...accessLimits,
    },
    /** The origins of the pages that may read responses, besides the service's own. */
    corsOrigins: listed(settings.CORS_ORIGINS),
    /** The listener that serves the documentation of the callers’ API. */
    docs: settings.DOCS,
    cache: {
      /** For stored contacts. */
      documentsMaxBytes: settings.CACHE_MAX_BYTES - renderingsMaxBytes - absencesMaxBytes - ownAbsencesMaxBytes,
      /** For rendered views, which can be rendered again. */
      renderingsMaxBytes,
      /** For ids that do not exist at Hilos, about a kibibyte each. */
      absencesMaxBytes,
      /** For ids that are absent for callers limited to flows, more than a kibibyte each. */
      ownAbsencesMaxBytes,
      /** Multiplies every lifetime and window; with 0 nothing is stored. */
      lifetimeScale: settings.CACHE_LIFETIME_SCALE,
      ...cacheLimits,
    },
    contact: {
      /** The key of the pseudonym `contact.ref`. */
      refKey: pseudonymKey.derived('contact.ref'),
      /** The key of the pseudonyms of ids. */
      idKey: pseudonymKey.derived('ids'),
      /** The keys of `contact.meta` that are published. */
      metaKeys: listed(settings.CONTACT_META_KEYS),
      ...contactLimits,
    },
    watch: {
      /** Loads a second for all watched contacts together; 0 for no limit. */
      maxLoadsPerSecond: settings.HILOS_MAX_RPS * watchLimits.share,
      /** These loads at once. So few take no place in the queue of calls that others need. */
      maxUnderWay: loadsUnderWay(settings.HILOS_MAX_RPS * watchLimits.share),
      ...watchLimits,
    },
    streams: {
      /** Streams and held requests of one caller, or of one address when callers are anonymous; 0 turns both off. */
      maxOfCaller: settings.CALLER_MAX_STREAMS,
      // A connection is closed when nothing moves for `silentSocketMs`.
      heartbeatMs: Math.min(streamLimits.longestHeartbeatMs, silentSocketMs / 2),
      /** A reader who takes nothing for this long is disconnected. */
      stalledMs: silentSocketMs,
      ...streamLimits,
    },
    logLevel: settings.LOG_LEVEL,
    /** Of the record of disclosure, which must not depend on the level of the log. */
    disclosureLogLevel: settings.DISCLOSURE_LOG_LEVEL,
    /** The key of the pseudonyms in the record of disclosure. */
    disclosureKey: pseudonymKey.derived('record of disclosure'),
    /** The commit of the build; null when it is unknown. */
    sourceCommit: settings.SOURCE_COMMIT ?? null,
    shutdown: {
      drainDelayMs: settings.DRAIN_DELAY_MS,
      // Idle connections are closed in time even when the shutdown is short.
      idleGraceMs: Math.min(longestIdleGraceMs, (settings.SHUTDOWN_TIMEOUT_MS - settings.DRAIN_DELAY_MS) / 4),
      timeoutMs: settings.SHUTDOWN_TIMEOUT_MS,
    },
    limits: {
      ...serverLimits,
      keepAliveMs: settings.KEEP_ALIVE_TIMEOUT_MS,
      silentSocketMs,
    },
    shedding: {
      /** The memory that the process may have before it is killed; null when the system sets no limit. */
      memoryLimitBytes,
      ...sheddingLimits,
    },
    /** The server that all replicas share; null for none. */
    sharedTier: sharedTier && sharedTierOf(sharedTier, settings, watched),
    /** Sentences for the operator: warnings about valid but questionable settings, and notes about what is as it may be. */
    warnings,
    notes,
  }
}

function sharedTierOf(parts: SharedTierParts, settings: Settings, watched: Environment): SharedTierConfig {
  return {
    ...parts,
    cacheKeyFile: watched.CACHE_KEY_FILE ?? null,
    keyPrefix: settings.REDIS_KEY_PREFIX,
    expectedReplicas: settings.REPLICAS_EXPECTED,
    ...sharedTierLimits,
  }
}

/** Enough for the rate when Hilos takes two seconds, and no more than half of the connections. */
function loadsUnderWay(perSecond: number): number {
  const most = hilosLimits.maxConnections / 2
  return perSecond === 0 ? most : Math.min(Math.max(Math.ceil(2 * perSecond), 2), most)
}

/** Without a limit, Linux reports eight exbibytes or more, which is not a safe integer in JavaScript. */
function memoryLimitOf(constrainedMemoryBytes: number): number | null {
  return constrainedMemoryBytes > 0 && Number.isSafeInteger(constrainedMemoryBytes) ? constrainedMemoryBytes : null
}

/** For `localhost` Fastify would open a second server, for IPv6, without the listeners of the first. */
function oneAddress(host: string): string {
  return host === 'localhost' ? '127.0.0.1' : host
}

function operatorsOf(settings: Settings, given: Environment) {
  const { ADMIN_HOST: host, ADMIN_PORT: port, ADMIN_TOKEN: token } = settings
  const needsToken = !isLoopback(host) || (token ?? given.ADMIN_TOKEN_FILE) !== undefined
  return {
    host: oneAddress(host),
    port,
    /** Names and addresses of this listener, besides those of this machine for itself. */
    allowedHosts: [...(isIP(host) === 0 ? [host] : []), ...listed(settings.ADMIN_ALLOWED_HOSTS)],
    /** For deleting from the cache; null if it is not needed. If it is needed and not given, it is random and unknown. */
    deletionToken: needsToken ? new Secret(token ?? unknownSecret()) : null,
  }
}

function unknownSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** Either all three settings are given or none. */
function tokensOf({ JWT_ISSUER, JWT_AUDIENCE, JWT_JWKS_URL }: Settings, given: Environment) {
  return JWT_ISSUER && JWT_AUDIENCE && JWT_JWKS_URL
    ? {
        issuer: JWT_ISSUER,
        audience: JWT_AUDIENCE,
        jwksUrl: JWT_JWKS_URL,
        /** The proxy on the way to `jwksUrl`; null for none. */
        proxy: proxyFor(JWT_JWKS_URL, given),
        ...issuerLimits,
      }
    : null
}

function frozen<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) frozen(part)
  return Object.freeze(value)
}
