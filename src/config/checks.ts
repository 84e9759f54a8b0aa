import { isIPv6 } from 'node:net'
import { canonicalHost } from '../common/host.ts'
import { type Environment, fileNames, listed, mustBe, type Settings, SettingsSchema } from './settings.ts'

const tokenSettings = ['JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_JWKS_URL'] as const

/** Returns the problems of settings that are each well-formed, one sentence each, without their values. */
export function checkSettings(given: Environment): string[] {
  const port = numberIn(given, 'PORT')
  return [
    ...unknownNames(given),
    ...applicable({
      [mustBe('HILOS_BASE_URL')]: !isSafeUrl(given.HILOS_BASE_URL, /[?#]/),
      [mustBe('JWT_JWKS_URL')]: !isSafeUrl(given.JWT_JWKS_URL, /#/),
    }),
    ...callerProblems(given),
    ...applicable({
      [mustBe('CORS_ORIGINS')]: !listed(given.CORS_ORIGINS ?? '').every(isOrigin),
      [mustBe('ADMIN_ALLOWED_HOSTS')]: !listed(given.ADMIN_ALLOWED_HOSTS ?? '').every(isHost),
      'ADMIN_PORT: must differ from PORT (0 turns the operators’ listener off)':
        port !== 0 && port === numberIn(given, 'ADMIN_PORT'),
      'DRAIN_DELAY_MS: must be less than SHUTDOWN_TIMEOUT_MS, which includes it':
        numberIn(given, 'DRAIN_DELAY_MS') >= numberIn(given, 'SHUTDOWN_TIMEOUT_MS'),
    }),
  ]
}

/** Returns the sentences that apply. */
export function applicable(sentences: Readonly<Record<string, boolean>>): string[] {
  return Object.keys(sentences).filter((sentence) => sentences[sentence])
}

/** If one of these names is misspelt, the service may be less safe than intended, use the old token, or share nothing. */
const guardedNames = /^(HILOS|CALLER|JWT|CORS|ADMIN|REDIS_|REPLICAS|CACHE_KEY)/
/** In each container, Kubernetes and Docker links set variables with such names for other services. */
const serviceLink = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/

function unknownNames(given: Environment): string[] {
  const known = [...Object.keys(SettingsSchema.properties), ...fileNames]
  const guarded = known.filter((name) => guardedNames.test(name))
  return Object.keys(given)
    .filter((name) => guardedNames.test(name) && !guarded.includes(name) && !serviceLink.test(name))
    .map(
      (name) =>
        `${printable(name)}: is not a setting and is probably misspelt (similar settings: ${guarded.join(', ')})`,
    )
}

/** The part of a name that looks like one. A name can contain anything but `=`, for example escape sequences of a terminal. */
function printable(name: string): string {
  const start = name.slice(0, 64).replace(/\W.*/s, '')
  return start === name ? name : `${start}…`
}

/**
 * Whether a setting is unset, or is a URL without a user, and https or http that does not leave this machine.
 * @param excluded the URL must not contain this
 */
function isSafeUrl(given: string | undefined, excluded: RegExp): boolean {
  if (given === undefined) return true
  const url = URL.parse(given)
  if (url === null || url.username + url.password !== '' || excluded.test(given)) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))
}

/** Whether only this machine can reach this host. An IPv6 address may have brackets. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(host)
}

function callerProblems(given: Environment): string[] {
  const missing = tokenSettings.filter((name) => given[name] === undefined)
  if (missing.length > 0 && missing.length < tokenSettings.length)
    return missing.map(
      (name) => `${name}: must be set too, because access tokens need all of ${tokenSettings.join(', ')}`,
    )
  const acceptsTokens = missing.length === 0
  if (acceptsTokens && given.NODE_TLS_REJECT_UNAUTHORIZED === '0') return [unverifiedIssuer]
  const canAuthenticate = given.CALLERS_FILE !== undefined || acceptsTokens
  return canAuthenticate || given.DANGEROUSLY_ALLOW_ANONYMOUS === 'true' ? [] : [noAuthentication]
}

const unverifiedIssuer =
  'NODE_TLS_REJECT_UNAUTHORIZED: must not be 0, because an attacker on the network could then replace the keys of the ' +
  'token issuer'

const noAuthentication =
  'DANGEROUSLY_ALLOW_ANONYMOUS: must be true, because the service has no other way to accept callers. The better ways ' +
  'are CALLERS_FILE, and JWT_ISSUER with JWT_AUDIENCE and JWT_JWKS_URL'

/** Whether it is written exactly as in the header `Origin`, because the two are compared as texts. */
function isOrigin(origin: string): boolean {
  const url = URL.parse(origin)
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === origin && !origin.includes('*')
}

/** Whether it is a host name or an IP address and nothing else. An IPv6 address may have brackets. */
export function isHost(host: string): boolean {
  const isName = /^[\w-]+(\.[\w-]+)*\.?$/.test(host) && canonicalHost(host) !== null
  return isName || isIPv6(host.replace(/^\[(.*)\]$/, '$1'))
}

/** The largest safe share of the memory limit. Under load, the process takes about 300 MiB besides the cache. */
const cacheShare = 1 / 4

/**
 * Returns warnings about valid settings, one sentence each.
 * @param memoryLimitBytes the memory that the process may have; null for no limit
 */
export function warningsFor(given: Environment, memoryLimitBytes: number | null): string[] {
  const drainMs = numberIn(given, 'SHUTDOWN_TIMEOUT_MS') - numberIn(given, 'DRAIN_DELAY_MS')
  const maxCacheBytes = (memoryLimitBytes ?? Number.POSITIVE_INFINITY) * cacheShare
  return [
    ...applicable({
      'DANGEROUSLY_ALLOW_ANONYMOUS: every client that can reach this service can read every execution contact':
        given.DANGEROUSLY_ALLOW_ANONYMOUS === 'true',
      'CONTACT_REF_KEY is not set: contact.ref changes with every start and differs between replicas':
        (given.CONTACT_REF_KEY ?? given.CONTACT_REF_KEY_FILE) === undefined,
      'ADMIN_TOKEN is not set: operators cannot delete from the cache, because not only this machine can reach ADMIN_HOST':
        numberIn(given, 'ADMIN_PORT') !== 0 &&
        !isLoopback(given.ADMIN_HOST ?? 'localhost') &&
        (given.ADMIN_TOKEN ?? given.ADMIN_TOKEN_FILE) === undefined,
      'HILOS_BASE_URL is plain http: the Hilos token travels unencrypted on this machine':
        given.HILOS_BASE_URL?.toLowerCase().startsWith('http:') === true,
      'SHUTDOWN_TIMEOUT_MS minus DRAIN_DELAY_MS is not more than HILOS_TIMEOUT_MS: a shutdown can cut waiting requests':
        drainMs <= numberIn(given, 'HILOS_TIMEOUT_MS'),
      'CACHE_MAX_BYTES is more than a quarter of the memory limit: the process may be killed before the cache is full':
        numberIn(given, 'CACHE_MAX_BYTES') > maxCacheBytes,
    }),
  ]
}

/** The number given for a setting, or its default. */
function numberIn(given: Environment, name: keyof Settings): number {
  const { default: fallback } = SettingsSchema.properties[name] as { default?: number }
  return Number(given[name] ?? fallback)
}
