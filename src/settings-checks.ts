import { type Environment, mustBe, type Settings, SettingsSchema } from './settings.ts'

/** Of the public contract, but not read by this version: set in good faith, they would look like protection. */
const callerSettings = ['CALLERS_FILE', 'JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_JWKS_URL']
/** Of the public contract, but without effect in this version. */
const idleSettings = ['CALLER_MAX_RPS', 'CORS_ORIGINS', 'REDIS_URL']

/** What is wrong with settings that are each well-formed, a sentence each, without their values. */
export function checkSettings(given: Environment): string[] {
  return [...misspelt(given), ...baseUrlProblems(given), ...callerProblems(given), ...portProblems(given)]
}

/** Kubernetes and Docker links put such names into every container beside a service whose name begins with hilos. */
const serviceLink = /^HILOS_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/

function misspelt(given: Environment): string[] {
  const known = Object.keys(SettingsSchema.properties).filter((name) => name.startsWith('HILOS_'))
  const allowed = new Set([...known, 'HILOS_TOKEN_FILE'])
  return Object.keys(given)
    .filter((name) => name.startsWith('HILOS_') && !allowed.has(name) && !serviceLink.test(name))
    .map((name) => `${name}: is not a setting, probably misspelt (there are ${[...allowed].join(', ')})`)
}

function baseUrlProblems({ HILOS_BASE_URL: given }: Environment): string[] {
  if (given === undefined) return []
  const url = URL.parse(given)
  const loopback = url !== null && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  const fits =
    url !== null &&
    (url.protocol === 'https:' || (url.protocol === 'http:' && loopback)) &&
    url.username + url.password === '' &&
    !/[?#]/.test(given)
  return fits ? [] : [mustBe('HILOS_BASE_URL')]
}

function callerProblems(given: Environment): string[] {
  const unread = callerSettings
    .filter((name) => given[name] !== undefined)
    .map((name) => `${name}: is not read by this version, so callers would not be checked against it`)
  if (given.DANGEROUSLY_ALLOW_ANONYMOUS === 'true') return unread
  return [
    ...unread,
    'DANGEROUSLY_ALLOW_ANONYMOUS: must be true, because there is no way to know the callers: this version answers ' +
      'whoever reaches it, so put it behind something that knows them. CALLERS_FILE and JWT_ISSUER with JWT_AUDIENCE ' +
      'and JWT_JWKS_URL will be the better ways',
  ]
}

function portProblems(given: Environment): string[] {
  const port = numberIn(given, 'PORT')
  const clash = port !== 0 && port === numberIn(given, 'ADMIN_PORT')
  return clash ? ['ADMIN_PORT: must differ from PORT (0 turns the operators’ listener off)'] : []
}

/** What an operator should know about settings that are in order, a sentence each. */
export function warningsFor(given: Environment): string[] {
  const idle = idleSettings
    .filter((name) => given[name] !== undefined)
    .map((name) => `${name} is set, but this version does nothing with it`)
  const anonymous = 'DANGEROUSLY_ALLOW_ANONYMOUS: whoever reaches this service can read every execution contact'
  const ref = 'CONTACT_REF_KEY is not set: contact.ref changes with every start and differs between replicas'
  const mayCut = numberIn(given, 'SHUTDOWN_TIMEOUT_MS') <= numberIn(given, 'HILOS_TIMEOUT_MS')
  const hasty = 'SHUTDOWN_TIMEOUT_MS is not more than HILOS_TIMEOUT_MS: a stop can cut a call that is under way'
  const plaintext = 'HILOS_BASE_URL is plain http: the Hilos token travels unencrypted on this machine'
  return [
    anonymous,
    ...((given.CONTACT_REF_KEY ?? given.CONTACT_REF_KEY_FILE) ? [] : [ref]),
    ...(given.HILOS_BASE_URL?.toLowerCase().startsWith('http:') ? [plaintext] : []),
    ...(mayCut ? [hasty] : []),
    ...idle,
  ]
}

/** The number given for a setting, or its default. */
function numberIn(given: Environment, name: keyof Settings): number {
  const { default: fallback } = SettingsSchema.properties[name] as { default?: number }
  return Number(given[name] ?? fallback)
}
