import { randomBytes } from 'node:crypto'
import type { CallerEntry } from '../access/caller-entry.ts'
import { readCallers } from '../access/callers-file.ts'
import { readBoundedFile } from '../common/bounded-file.ts'
import { Secret } from '../common/secret.ts'
import { checkSettings, warningsFor } from './checks.ts'
import {
  absenceShare,
  accessLimits,
  cacheLimits,
  hilosLimits,
  type Limits,
  longestLingerMs,
  ownAbsenceShare,
  renderingsShare,
  serverLimits,
  sheddingLimits,
} from './limits.ts'
import { type Environment, listed, readSettings, type Settings } from './settings.ts'

/** What the environment tells this service, checked and frozen. */
export interface Config {
  readonly hilos: {
    readonly token: Secret
    /** The file the token was read from, to be watched; null when it was given as itself. */
    readonly tokenFile: string | null
    /** To be tried when Hilos refuses the token. */
    readonly nextToken: Secret | null
    readonly nextTokenFile: string | null
    /** Without a trailing slash; `/flow-execution-contact/{id}` is appended. */
    readonly baseUrl: string
    /** For one whole call, from waiting for its turn to the last byte, its retry included. */
    readonly timeoutMs: number
    /** Calls begun in any one second; 0 for no limit. */
    readonly maxCallsPerSecond: number
    /** How long a call may wait for its turn. */
    readonly maxWaitMs: number
    /** Of a body, as it comes and decoded. */
    readonly maxBodyBytes: number
  } & typeof hilosLimits
  /** The callers' listener. Port 0 lets the system choose. */
  readonly callers: Listener
  /** The operators' listener; null when turned off. */
  readonly operators: Listener | null
  readonly access: {
    /** The callers' file, what it said at the start, and the keys in it; null without one. */
    readonly callersFile: {
      readonly path: string
      readonly text: string
      readonly entries: readonly CallerEntry[]
    } | null
    /** The issuer whose access tokens are taken; null for none. */
    readonly tokens: { readonly issuer: string; readonly audience: string; readonly jwksUrl: string } | null
    /** Whether whoever sends no credential is answered, with everything. */
    readonly allowAnonymous: boolean
    /** Requests of one caller in a second, or of one address where the caller is not known; 0 for no limit. */
    readonly maxRequestsPerSecond: number
  } & typeof accessLimits
  /** Origins whose pages may read answers; none but the service's own by default. */
  readonly corsOrigins: readonly string[]
  readonly cache: {
    /** For remembered presentations. */
    readonly documentsMaxBytes: number
    /** For remembered representations of them, which can be made again. */
    readonly renderingsMaxBytes: number
    /** For remembered absences, a kibibyte each. */
    readonly absencesMaxBytes: number
    /** For what is absent as far as callers limited to flows may know, a kibibyte and more each. */
    readonly ownAbsencesMaxBytes: number
    /** Multiplies every lifetime and window; 0 means that nothing is remembered. */
    readonly lifetimeScale: number
  } & typeof cacheLimits
  readonly contact: {
    /** Key of the pseudonym `contact.ref`. */
    readonly refKey: Secret
    /** Keys of `contact.meta` that may leave. */
    readonly metaKeys: readonly string[]
  }
  readonly logLevel: Settings['LOG_LEVEL']
  /** Of the record of disclosure, which has one of its own so that a quiet log does not end it. */
  readonly disclosureLogLevel: Settings['DISCLOSURE_LOG_LEVEL']
  /** Of the source this was built from; null when nobody said. */
  readonly sourceCommit: string | null
  readonly shutdown: {
    /** How long new work is still taken after SIGTERM, so that load balancers notice; 0 for not at all. */
    readonly drainDelayMs: number
    /** How long a connection may carry nothing before it is closed. */
    readonly lingerMs: number
    /** For all of it, counted from the signal. Requests still in flight then are cut. */
    readonly timeoutMs: number
  }
  readonly limits: Limits
  readonly shedding: {
    /** What this process may have before it is killed; null when nobody says so. */
    readonly memoryLimitBytes: number | null
  } & typeof sheddingLimits
  /** What the operator should know about these settings, a sentence each. */
  readonly warnings: readonly string[]
}

export interface Listener {
  readonly host: string
  readonly port: number
}

/** The settings do not add up. The message names every problem and no value. */
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
 * Reads the settings. An empty value counts as unset.
 * @param env the environment of the process
 * @param constrainedMemoryBytes as `process.constrainedMemory()` has it: 0, or more than anybody has, for no limit
 * @throws ConfigError with all problems at once
 */
export function loadConfig(env: Environment, constrainedMemoryBytes = 0): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()))
  const problems: string[] = []
  const warnings: string[] = []
  const settings = readSettings(given, problems, warnings)
  const callersFile = given.CALLERS_FILE === undefined ? null : readCallersFile(given.CALLERS_FILE, problems)
  problems.push(...checkSettings(given))
  if (settings === null || problems.length > 0) throw new ConfigError(problems)
  const memoryLimitBytes = memoryLimitOf(constrainedMemoryBytes)
  warnings.push(...warningsFor(given, memoryLimitBytes))
  return frozen({
    ...configOf(settings, given, callersFile),
    shedding: { memoryLimitBytes, ...sheddingLimits },
    warnings,
  })
}

function readCallersFile(path: string, problems: string[]): Config['access']['callersFile'] {
  const content = readBoundedFile(path, accessLimits.maxCallersFileBytes)
  const file = 'text' in content ? readCallers(content.text) : { problems: [content.problem] }
  if ('problems' in file) problems.push(...file.problems.map((problem) => `CALLERS_FILE: ${problem}`))
  return 'text' in content && 'callers' in file ? { path, text: content.text, entries: file.callers } : null
}

function configOf(
  settings: Settings,
  given: Environment,
  callersFile: Config['access']['callersFile'],
): Omit<Config, 'shedding' | 'warnings'> {
  const absencesMaxBytes = Math.floor(settings.CACHE_MAX_BYTES * absenceShare)
  const ownAbsencesMaxBytes = Math.floor(settings.CACHE_MAX_BYTES * ownAbsenceShare)
  const renderingsMaxBytes = Math.floor(settings.CACHE_MAX_BYTES * renderingsShare)
  return {
    hilos: {
      token: new Secret(settings.HILOS_TOKEN),
      tokenFile: given.HILOS_TOKEN_FILE ?? null,
      nextToken: settings.HILOS_TOKEN_NEXT === undefined ? null : new Secret(settings.HILOS_TOKEN_NEXT),
      nextTokenFile: given.HILOS_TOKEN_NEXT_FILE ?? null,
      baseUrl: new URL(settings.HILOS_BASE_URL).href.replace(/\/+$/, ''),
      timeoutMs: settings.HILOS_TIMEOUT_MS,
      maxCallsPerSecond: settings.HILOS_MAX_RPS,
      // A call that got its turn has at least as long for itself.
      maxWaitMs: settings.HILOS_TIMEOUT_MS / 2,
      maxBodyBytes: settings.HILOS_MAX_BODY_BYTES,
      ...hilosLimits,
    },
    callers: { host: oneAddress(settings.HOST), port: settings.PORT },
    operators: settings.ADMIN_PORT === 0 ? null : { host: settings.ADMIN_HOST, port: settings.ADMIN_PORT },
    access: {
      callersFile,
      tokens: tokensOf(settings),
      allowAnonymous: settings.DANGEROUSLY_ALLOW_ANONYMOUS,
      maxRequestsPerSecond: settings.CALLER_MAX_RPS,
      ...accessLimits,
    },
    corsOrigins: listed(settings.CORS_ORIGINS),
    cache: {
      documentsMaxBytes: settings.CACHE_MAX_BYTES - renderingsMaxBytes - absencesMaxBytes - ownAbsencesMaxBytes,
      renderingsMaxBytes,
      absencesMaxBytes,
      ownAbsencesMaxBytes,
      lifetimeScale: settings.CACHE_LIFETIME_SCALE,
      ...cacheLimits,
    },
    contact: {
      refKey: new Secret(settings.CONTACT_REF_KEY ?? randomBytes(32).toString('base64url')),
      metaKeys: listed(settings.CONTACT_META_KEYS),
    },
    logLevel: settings.LOG_LEVEL,
    disclosureLogLevel: settings.DISCLOSURE_LOG_LEVEL,
    sourceCommit: settings.SOURCE_COMMIT ?? null,
    shutdown: shutdownOf(settings),
    limits: {
      ...serverLimits,
      keepAliveMs: settings.KEEP_ALIVE_TIMEOUT_MS,
      silentSocketMs: settings.HILOS_TIMEOUT_MS + 10_000,
    },
  }
}

function shutdownOf({ DRAIN_DELAY_MS, SHUTDOWN_TIMEOUT_MS }: Settings): Config['shutdown'] {
  return {
    drainDelayMs: DRAIN_DELAY_MS,
    // However little time there is, what lingers is closed within it.
    lingerMs: Math.min(longestLingerMs, (SHUTDOWN_TIMEOUT_MS - DRAIN_DELAY_MS) / 4),
    timeoutMs: SHUTDOWN_TIMEOUT_MS,
  }
}

/** Without a limit, Linux names one of eight exbibytes or more, which is no whole number to JavaScript. */
function memoryLimitOf(constrainedMemoryBytes: number): number | null {
  return constrainedMemoryBytes > 0 && Number.isSafeInteger(constrainedMemoryBytes) ? constrainedMemoryBytes : null
}

/** For `localhost` Fastify opens a second server, which nothing here would know of. */
function oneAddress(host: string): string {
  return host === 'localhost' ? '127.0.0.1' : host
}

/** All three are given, or none. */
function tokensOf({ JWT_ISSUER, JWT_AUDIENCE, JWT_JWKS_URL }: Settings): Config['access']['tokens'] {
  return JWT_ISSUER && JWT_AUDIENCE && JWT_JWKS_URL
    ? { issuer: JWT_ISSUER, audience: JWT_AUDIENCE, jwksUrl: JWT_JWKS_URL }
    : null
}

function frozen<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) frozen(part)
  return Object.freeze(value)
}
