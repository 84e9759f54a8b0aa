import { envSchema } from 'env-schema'
import { type Static, Type } from 'typebox'
import { readBoundedFile } from '../common/bounded-file.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const mebibyte = 1024 * 1024
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

// Each description ends the sentence "NAME: must be …" of a problem.
const wholeNumber = (minimum: number, maximum: number, fallback: number) =>
  Type.Integer({ minimum, maximum, default: fallback, description: `a whole number from ${minimum} to ${maximum}` })

const visible = '^[\\x21-\\x7e]{1,2048}$'

const logLevel = Type.Enum([...logLevels], { default: 'info', description: `one of ${logLevels.join(', ')}` })

const host = (fallback: string) =>
  Type.String({ default: fallback, pattern: '^[A-Za-z0-9.:_-]+$', description: 'a host name or an IP address' })

/** What can be sent as a Hilos API key. */
export const hilosTokenForm = /^[\x21-\x7e]{1,4096}$/

/** Every setting this version reads, spelt as in the environment. */
export const SettingsSchema = Type.Object({
  HILOS_TOKEN: Type.String({
    pattern: hilosTokenForm.source,
    description: 'the Hilos API key, as HILOS_TOKEN or in the file named by HILOS_TOKEN_FILE: visible ASCII, no spaces',
  }),
  HILOS_TOKEN_NEXT: Type.Optional(
    Type.String({ pattern: hilosTokenForm.source, description: 'a Hilos API key: visible ASCII, no spaces' }),
  ),
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
  CALLERS_FILE: Type.Optional(Type.String({ description: 'the path of a file' })),
  JWT_ISSUER: Type.Optional(
    Type.String({
      pattern: visible,
      description: 'the issuer as its tokens name it in `iss`: visible ASCII, no spaces',
    }),
  ),
  JWT_AUDIENCE: Type.Optional(
    Type.String({ pattern: visible, description: 'the audience as tokens name it in `aud`: visible ASCII, no spaces' }),
  ),
  JWT_JWKS_URL: Type.Optional(
    Type.String({ description: 'an https URL (plain http only to this machine) without user or fragment' }),
  ),
  DANGEROUSLY_ALLOW_ANONYMOUS: Type.Boolean({ default: false, description: 'true or false' }),
  CORS_ORIGINS: Type.String({
    default: '',
    description:
      'origins such as https://support.example separated by commas, as browsers send them: lower case, no path, no wildcard',
  }),
  CALLER_MAX_RPS: wholeNumber(0, 100_000, 50),
  CACHE_MAX_BYTES: wholeNumber(mebibyte, 64 * 1024 * mebibyte, 64 * mebibyte),
  CACHE_LIFETIME_SCALE: Type.Number({ minimum: 0, maximum: 100, default: 1, description: 'a number from 0 to 100' }),
  CONTACT_REF_KEY: Type.Optional(Type.String({ minLength: 16, description: 'a secret of at least 16 characters' })),
  CONTACT_META_KEYS: Type.String({ default: '', description: 'names separated by commas' }),
  LOG_LEVEL: logLevel,
  DISCLOSURE_LOG_LEVEL: logLevel,
  DRAIN_DELAY_MS: wholeNumber(0, 300_000, 0),
  SHUTDOWN_TIMEOUT_MS: wholeNumber(100, 600_000, 10_000),
  SOURCE_COMMIT: Type.Optional(
    Type.String({ pattern: '^[0-9a-f]{7,64}$', description: '7 to 64 lower-case hexadecimal digits' }),
  ),
})

export type Settings = Static<typeof SettingsSchema>

/** These may be given as `NAME_FILE`, the path of a file that holds the value. */
export const secretNames = ['HILOS_TOKEN', 'HILOS_TOKEN_NEXT', 'CONTACT_REF_KEY'] as const
/** The settings that do so. */
export const fileNames = secretNames.map((name) => `${name}_FILE`)
export const largestSecretBytes = 8192

/**
 * Reads the environment into typed settings, adding a sentence to `problems` for whatever is wrong, without its value,
 * and to `warnings` for what can be done without. Null when a setting is missing or malformed.
 */
export function readSettings(env: Environment, problems: string[], warnings: string[]): Settings | null {
  const given = withSecretsFromFiles(env, problems, warnings)
  try {
    return envSchema<Settings>({ env: false, schema: structuredClone(SettingsSchema), data: given })
  } catch (error) {
    problems.push(...schemaProblems(error))
    return null
  }
}

function withSecretsFromFiles(
  env: Environment,
  problems: string[],
  warnings: string[],
): Record<string, string | undefined> {
  const given = { ...env }
  for (const name of secretNames) {
    // Between two rotations there is no next token, and its file may be empty or not be there.
    const report = name === 'HILOS_TOKEN_NEXT' ? warnings : problems
    const path = env[`${name}_FILE`]
    if (path === undefined) continue
    if (given[name] !== undefined) {
      problems.push(`${name}: is given twice, as itself and as ${name}_FILE`)
      continue
    }
    const content = readBoundedFile(path, largestSecretBytes)
    if ('text' in content) given[name] = content.text
    else report.push(`${name}_FILE: ${content.problem}`)
  }
  return given
}

interface SchemaProblem {
  readonly instancePath: string
  readonly params: { readonly missingProperty?: string }
}

function schemaProblems(error: unknown): string[] {
  const { errors } = error as { errors: readonly SchemaProblem[] }
  const names = errors.map(({ instancePath, params }) => params.missingProperty ?? instancePath.slice(1))
  return [...new Set(names)].map((name) => mustBe(name as keyof Settings))
}

/** The sentence that says what a setting has to be. */
export function mustBe(name: keyof Settings): string {
  const { description } = SettingsSchema.properties[name] as { description?: string }
  return `${name}: must be ${description}`
}

/** What a setting lists, separated by commas. */
export function listed(setting: string): string[] {
  return setting
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
}
