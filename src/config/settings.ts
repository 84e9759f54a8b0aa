import {
  type FileContent,
  type FileReading,
  inTime,
  isAbsent,
  isMissing,
  readBoundedFile,
} from '../common/bounded-file.ts'
import { type Static, Type } from '../common/type.ts'
import { accessLimits, streamLimits } from './limits.ts'
import { type SettingForm, valueIn } from './setting-value.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const mebibyte = 1024 * 1024
/** The listener that serves the documentation of the callers’ API. */
const docsPlaces = ['callers', 'operators', 'off'] as const
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

// Each description ends the sentence "NAME: must be …" of a problem.
const wholeNumber = (minimum: number, maximum: number, fallback: number) =>
  Type.Integer({ minimum, maximum, default: fallback, description: `a whole number from ${minimum} to ${maximum}` })

const optional = (description: string, form: { readonly pattern?: string; readonly minLength?: number } = {}) =>
  Type.Optional(Type.String({ ...form, description }))

const visibleText = (what: string) =>
  optional(`${what}, in visible ASCII without spaces`, { pattern: '^[\\x21-\\x7e]{1,2048}$' })

const logLevel = Type.Enum([...logLevels], { default: 'info', description: `one of ${logLevels.join(', ')}` })

const host = (fallback: string) =>
  Type.String({ default: fallback, pattern: '^[A-Za-z0-9.:_-]+$', description: 'a host name or an IP address' })

/** The form of a Hilos API key. */
export const hilosTokenForm = /^[\x21-\x7e]{1,4096}$/

/** All settings that this version reads, with their names in the environment. */
export const SettingsSchema = Type.Object({
  HILOS_TOKEN: Type.String({
    pattern: hilosTokenForm.source,
    description:
      'the Hilos API key, in HILOS_TOKEN or in the file that HILOS_TOKEN_FILE names, in visible ASCII without spaces',
  }),
  HILOS_TOKEN_NEXT: optional('a Hilos API key in visible ASCII without spaces', { pattern: hilosTokenForm.source }),
  HILOS_BASE_URL: Type.String({
    default: 'https://api.hilos.io/channel/whatsapp',
    description: 'an https URL (plain http only to this machine) without user, query or fragment',
  }),
  HILOS_TIMEOUT_MS: wholeNumber(1, 120_000, 8000),
  HILOS_MAX_RPS: Type.Number({ minimum: 0, maximum: 1000, default: 5, description: 'a number from 0 to 1000' }),
  HILOS_MAX_BODY_BYTES: wholeNumber(1024, 64 * mebibyte, 5 * mebibyte),
  HOST: host('127.0.0.1'),
  PORT: wholeNumber(0, 65_535, 3000),
  KEEP_ALIVE_TIMEOUT_MS: wholeNumber(1000, 3_600_000, 72_000),
  ADMIN_HOST: host('127.0.0.1'),
  ADMIN_PORT: wholeNumber(0, 65_535, 3001),
  ADMIN_ALLOWED_HOSTS: Type.String({
    default: '',
    description: 'host names or IP addresses, separated by commas, without scheme, port and wildcard',
  }),
  // The form of a bearer credential (RFC 6750 section 2.1), so that it can be sent.
  ADMIN_TOKEN: optional('a secret of at least 16 letters, digits and characters of -._~+/', {
    pattern: '^[\\w.~+/-]{16,4096}=*$',
  }),
  CALLERS_FILE: optional('the path of a file'),
  JWT_ISSUER: visibleText('the token issuer as in the claim `iss`'),
  JWT_AUDIENCE: visibleText('the audience as in the claim `aud`'),
  JWT_JWKS_URL: optional('an https URL (plain http only to this machine) without user or fragment'),
  DANGEROUSLY_ALLOW_ANONYMOUS: Type.Boolean({ default: false, description: 'true or false' }),
  CORS_ORIGINS: Type.String({
    default: '',
    description:
      'origins such as https://support.example, separated by commas, in lower case, without path and wildcard',
  }),
  DOCS: Type.Enum([...docsPlaces], { default: 'callers', description: `one of ${docsPlaces.join(', ')}` }),
  CALLER_MAX_RPS: wholeNumber(0, 100_000, 50),
  CALLER_MAX_STREAMS: wholeNumber(0, streamLimits.max, 100),
  CACHE_MAX_BYTES: wholeNumber(mebibyte, 64 * 1024 * mebibyte, 64 * mebibyte),
  CACHE_KEY_FILE: optional('the path of a file'),
  CACHE_LIFETIME_SCALE: Type.Number({ minimum: 0, maximum: 100, default: 1, description: 'a number from 0 to 100' }),
  CONTACT_REF_KEY: optional('a secret of at least 16 characters', { minLength: 16 }),
  CONTACT_META_KEYS: Type.String({ default: '', description: 'names separated by commas' }),
  REDIS_URL: optional(
    'redis://USER:PASSWORD@HOST:PORT/DATABASE, of which only the host is needed, or rediss:// for TLS; with sentinels ' +
      'redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME/DATABASE or rediss+sentinel://. User and password are ' +
      'percent-encoded',
  ),
  REDIS_CA_FILE: optional('the path of a file'),
  REDIS_KEY_PREFIX: Type.String({
    default: 'hbff',
    pattern: '^[A-Za-z0-9-]{1,64}$',
    description: '1 to 64 letters, digits and -',
  }),
  REPLICAS_EXPECTED: wholeNumber(1, 1000, 1),
  LOG_LEVEL: logLevel,
  DISCLOSURE_LOG_LEVEL: logLevel,
  DRAIN_DELAY_MS: wholeNumber(0, 300_000, 0),
  SHUTDOWN_TIMEOUT_MS: wholeNumber(100, 600_000, 10_000),
  SOURCE_COMMIT: optional('7 to 64 lower-case hexadecimal digits', { pattern: '^[0-9a-f]{7,64}$' }),
})

export type Settings = Static<typeof SettingsSchema>

/** Each of these may be set as `NAME_FILE` instead, to the path of a file with the value. */
export const secretNames = ['HILOS_TOKEN', 'HILOS_TOKEN_NEXT', 'CONTACT_REF_KEY', 'ADMIN_TOKEN', 'REDIS_URL'] as const
/** The files of these may be empty or missing: there is no next token between two rotations. */
const optionalNames: readonly string[] = ['HILOS_TOKEN_NEXT', 'ADMIN_TOKEN']
export const fileNames = secretNames.map((name) => `${name}_FILE`)
export const largestSecretBytes = 8192
/** A bundle of all public certificate authorities has a quarter of this. */
const largestCertificatesBytes = mebibyte

/** The files that settings name, by the name of the setting. */
export type SettingsFiles = Readonly<Record<string, FileReading>>

const fileLimits: readonly (readonly [name: string, maxBytes: number])[] = [
  ...fileNames.map((name) => [name, largestSecretBytes] as const),
  ['CALLERS_FILE', accessLimits.maxCallersFileBytes],
  ['CACHE_KEY_FILE', largestSecretBytes],
  ['REDIS_CA_FILE', largestCertificatesBytes],
]

/** Reads the files that settings name. Of a pipe, as `<(…)` makes it, it waits for the writer, for some seconds at most. */
export async function readSettingsFiles(env: Environment): Promise<SettingsFiles> {
  const readings = fileLimits
    .filter(([name]) => env[name]?.trim())
    .map(async ([name, maxBytes]) => [name, await inTime(readBoundedFile(String(env[name]), maxBytes, true))] as const)
  return Object.fromEntries(await Promise.all(readings))
}

/** The content of a file that is set. */
export function contentOf(files: SettingsFiles, name: string): FileContent {
  return files[name]?.content ?? { problem: 'the file was not read' }
}

/**
 * Sentences about settings, without values. With a problem the service does not start; a warning is about what is valid but
 * questionable, and a note about what is as it may be.
 */
export type Remarks = Readonly<Record<'problems' | 'warnings' | 'notes', string[]>>

/**
 * Reads typed settings, and adds a problem for each that is missing or malformed. Then it returns null.
 * @param given the environment with the secrets in files
 */
export function readSettings(given: Environment, problems: string[]): Settings | null {
  const forms: readonly (readonly [string, SettingForm])[] = Object.entries(SettingsSchema.properties)
  const values = forms.map(([name, form]) => [name, valueIn(given[name], form)] as const)
  const mayBeUnset = (name: string) => given[name] === undefined && !required.includes(name)
  const wrong = values.filter(([name, value]) => value === undefined && !mayBeUnset(name))
  problems.push(...wrong.map(([name]) => mustBe(name as keyof Settings)))
  return wrong.length === 0 ? (Object.fromEntries(values) as Settings) : null
}

const required: readonly string[] = SettingsSchema.required

/** Adds the secrets that are in files to the environment, and to the remarks what is to be said about these files. */
export function withSecretsFromFiles(
  env: Environment,
  files: SettingsFiles,
  { problems, warnings, notes }: Remarks,
): Environment {
  const given: Record<string, string | undefined> = { ...env }
  for (const name of secretNames) {
    if (env[`${name}_FILE`] === undefined) continue
    if (given[name] !== undefined) {
      problems.push(`${name}: must not be set together with ${name}_FILE`)
      continue
    }
    const content = contentOf(files, `${name}_FILE`)
    const isOptional = optionalNames.includes(name)
    if ('text' in content) given[name] = content.text
    else if (isOptional && isMissing(content)) notes.push(`${name}_FILE: the file is missing, as it may be`)
    else (isOptional && isAbsent(content) ? warnings : problems).push(`${name}_FILE: ${content.problem}`)
  }
  return given
}

/** The problem of a setting that is missing or malformed. */
export function mustBe(name: keyof Settings): string {
  const { description } = SettingsSchema.properties[name] as { description?: string }
  return `${name}: must be ${description}`
}

/** The items of a setting that is a list, separated by commas. */
export function listed(setting: string): string[] {
  return setting
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
}
