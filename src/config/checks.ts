import { type Environment, fileNames, listed, mustBe, type Settings, SettingsSchema } from './settings.ts'

/** Of the public contract, but without effect in this version. */
const idleSettings = ['REDIS_URL']

const tokenSettings = ['JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_JWKS_URL'] as const

/** What is wrong with settings that are each well-formed, a sentence each, without their values. */
export function checkSettings(given: Environment): string[] {
  return [
    ...misspelt(given),
    ...urlProblems(given),
    ...callerProblems(given),
    ...originProblems(given),
    ...portProblems(given),
    ...delayProblems(given),
  ]
}

/** A slip in one of these would leave something open, or the old token in use. */
const guardedNames = /^(HILOS|CALLER|JWT|CORS)/
/** Kubernetes and Docker links put such names into every container beside a service whose name begins so. */
const serviceLink = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/

function misspelt(given: Environment): string[] {
  const known = [...Object.keys(SettingsSchema.properties), ...fileNames]
  const guarded = known.filter((name) => guardedNames.test(name))
  return Object.keys(given)
    .filter((name) => guardedNames.test(name) && !guarded.includes(name) && !serviceLink.test(name))
    .map((name) => `${shown(name)}: is not a setting, probably misspelt (there are ${guarded.join(', ')})`)
}

/** As much of a name as looks like one: an environment takes anything but `=`, escape sequences of a terminal too. */
function shown(name: string): string {
  const start = name.slice(0, 64).replace(/\W.*/s, '')
  return start === name ? name : `${start}…`
}

function urlProblems({ HILOS_BASE_URL, JWT_JWKS_URL }: Environment): string[] {
  const isBase = HILOS_BASE_URL === undefined || (isSafeUrl(HILOS_BASE_URL) && !/[?#]/.test(HILOS_BASE_URL))
  const isKeySet = JWT_JWKS_URL === undefined || (isSafeUrl(JWT_JWKS_URL) && !JWT_JWKS_URL.includes('#'))
  return [...(isBase ? [] : [mustBe('HILOS_BASE_URL')]), ...(isKeySet ? [] : [mustBe('JWT_JWKS_URL')])]
}

/** https, or http that does not leave this machine; without a user. */
function isSafeUrl(given: string): boolean {
  const url = URL.parse(given)
  if (url === null || url.username + url.password !== '') return false
  const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  return url.protocol === 'https:' || (url.protocol === 'http:' && loopback)
}

function callerProblems(given: Environment): string[] {
  const missing = tokenSettings.filter((name) => given[name] === undefined)
  if (missing.length > 0 && missing.length < tokenSettings.length)
    return missing.map(
      (name) => `${name}: is needed as well, for access tokens take all of ${tokenSettings.join(', ')}`,
    )
  const takesTokens = missing.length === 0
  if (takesTokens && given.NODE_TLS_REJECT_UNAUTHORIZED === '0') return [uncheckedIssuer]
  const known = given.CALLERS_FILE !== undefined || takesTokens
  return known || given.DANGEROUSLY_ALLOW_ANONYMOUS === 'true' ? [] : [noWayToKnowCallers]
}

const uncheckedIssuer =
  'NODE_TLS_REJECT_UNAUTHORIZED: must not be 0, because anybody on the way could then say which keys are the issuer’s'

const noWayToKnowCallers =
  'DANGEROUSLY_ALLOW_ANONYMOUS: must be true, because there is no other way to know the callers. The better ways are ' +
  'CALLERS_FILE, and JWT_ISSUER with JWT_AUDIENCE and JWT_JWKS_URL'

/** As browsers write the Origin header, because it is compared to the letter. */
function originProblems({ CORS_ORIGINS = '' }: Environment): string[] {
  const exact = listed(CORS_ORIGINS).every((origin) => {
    const url = URL.parse(origin)
    return url !== null && /^https?:$/.test(url.protocol) && url.origin === origin && !origin.includes('*')
  })
  return exact ? [] : [mustBe('CORS_ORIGINS')]
}

function portProblems(given: Environment): string[] {
  const port = numberIn(given, 'PORT')
  const clash = port !== 0 && port === numberIn(given, 'ADMIN_PORT')
  return clash ? ['ADMIN_PORT: must differ from PORT (0 turns the operators’ listener off)'] : []
}

function delayProblems(given: Environment): string[] {
  const leavesNothing = numberIn(given, 'DRAIN_DELAY_MS') >= numberIn(given, 'SHUTDOWN_TIMEOUT_MS')
  return leavesNothing ? ['DRAIN_DELAY_MS: must be less than SHUTDOWN_TIMEOUT_MS, which it is a part of'] : []
}

/** Of the memory limit: what is remembered takes about its bytes, but while much is loaded the rest takes some 300 MiB. */
const cacheShare = 1 / 4

/**
 * What an operator should know about settings that are in order, a sentence each.
 * @param memoryLimitBytes of this process; null when there is none
 */
export function warningsFor(given: Environment, memoryLimitBytes: number | null): string[] {
  const idle = idleSettings
    .filter((name) => given[name] !== undefined)
    .map((name) => `${name} is set, but this version does nothing with it`)
  const anonymous = 'DANGEROUSLY_ALLOW_ANONYMOUS: whoever reaches this service can read every execution contact'
  const isAnonymous = given.DANGEROUSLY_ALLOW_ANONYMOUS === 'true'
  const ref = 'CONTACT_REF_KEY is not set: contact.ref changes with every start and differs between replicas'
  const finishMs = numberIn(given, 'SHUTDOWN_TIMEOUT_MS') - numberIn(given, 'DRAIN_DELAY_MS')
  const mayCut = finishMs <= numberIn(given, 'HILOS_TIMEOUT_MS')
  const hasty =
    'SHUTDOWN_TIMEOUT_MS less DRAIN_DELAY_MS is not more than HILOS_TIMEOUT_MS: a stop can cut a call that is under way'
  const plaintext = 'HILOS_BASE_URL is plain http: the Hilos token travels unencrypted on this machine'
  const isCramped = memoryLimitBytes !== null && numberIn(given, 'CACHE_MAX_BYTES') > memoryLimitBytes * cacheShare
  const cramped =
    'CACHE_MAX_BYTES is more than a quarter of the memory limit: the process may be killed before it is full'
  return [
    ...(isAnonymous ? [anonymous] : []),
    ...((given.CONTACT_REF_KEY ?? given.CONTACT_REF_KEY_FILE) ? [] : [ref]),
    ...(given.HILOS_BASE_URL?.toLowerCase().startsWith('http:') ? [plaintext] : []),
    ...(mayCut ? [hasty] : []),
    ...(isCramped ? [cramped] : []),
    ...idle,
  ]
}

/** The number given for a setting, or its default. */
function numberIn(given: Environment, name: keyof Settings): number {
  const { default: fallback } = SettingsSchema.properties[name] as { default?: number }
  return Number(given[name] ?? fallback)
}
