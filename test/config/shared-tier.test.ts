import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { type Config, ConfigError, loadConfig } from '../../src/config/config.ts'
import { sharedTierLimits } from '../../src/config/limits.ts'
import { readSettingsFiles } from '../../src/config/settings.ts'
import { throwawayCertificates, throwawayKey } from '../harness/certificate.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'

const minimum = { HILOS_TOKEN: 'token-canary', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' }
const keyOf = (byte: number) => Buffer.alloc(32, byte).toString('base64')
const keys = JSON.stringify({ names: keyOf(1), seal: [{ id: 3, key: keyOf(2) }] })
const certificate = throwawayCertificates.rightHost

/** The settings of a shared tier, and files for more. */
function arrange(t: Test) {
  const folder = t.testdir()
  const fileOf = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const env = {
    ...minimum,
    REDIS_URL: 'redis://user-canary:password-canary@localhost',
    CACHE_KEY_FILE: fileOf('keys', keys),
    CONTACT_REF_KEY: 'sixteen-letters-canary',
    REPLICAS_EXPECTED: '3',
  }
  return { env, fileOf }
}

const load = async (env: Record<string, string>): Promise<Config> => loadConfig(env, 0, await readSettingsFiles(env))

async function problemsOf(env: Record<string, string>): Promise<readonly string[]> {
  try {
    await load(env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

t.test('without REDIS_URL there is no shared tier', async (t) => {
  t.equal((await load(minimum)).sharedTier, null)
  t.equal((await load({ ...minimum, REDIS_URL: ' ', REDIS_KEY_PREFIX: 'a', REPLICAS_EXPECTED: '5' })).sharedTier, null)
})

t.test('the shared tier has its server, its keys and its limits, and shows no secret', async (t) => {
  const { env, fileOf } = arrange(t)
  const config = await load(env)
  const { sharedTier } = config
  t.match(sharedTier, {
    server: { hosts: [{ host: 'localhost', port: 6379 }], username: 'user-canary', tls: false, ca: null },
    keyPrefix: 'hbff',
    expectedReplicas: 3,
    cacheKeyFile: env.CACHE_KEY_FILE,
    ...sharedTierLimits,
  })
  t.equal(sharedTier?.server.password?.reveal(), 'password-canary')
  t.equal(sharedTier?.cacheKeyText.reveal(), keys)
  t.equal(sharedTier?.cacheKeys.names.reveal(), keyOf(1))
  t.match(sharedTier?.cacheKeys.seal, [{ id: 3 }])
  for (const text of [inspect(config, { depth: 9, showHidden: true }), JSON.stringify(config)])
    t.notMatch(text, new RegExp(`password-canary|${keyOf(1)}|${keyOf(2)}`))

  const changes = {
    ...{ REDIS_URL: '', REDIS_URL_FILE: fileOf('url', 'rediss://:secret@cache.example:1/2\n') },
    ...{ REDIS_CA_FILE: fileOf('ca', `A comment.\n${certificate}${certificate}`), REDIS_KEY_PREFIX: 'My-own-2' },
  }
  const { CONTACT_REF_KEY, ...rest } = { ...env, ...changes, CONTACT_REF_KEY_FILE: fileOf('ref', env.CONTACT_REF_KEY) }
  const other = await load(rest)
  t.match(other.sharedTier, {
    server: { hosts: [{ host: 'cache.example', port: 1 }], username: null, database: 2, tls: true },
    keyPrefix: 'My-own-2',
  })
  t.match(other.sharedTier?.server.ca, 'BEGIN CERTIFICATE')
  t.strictSame(
    other.warnings.filter((warning) => /REDIS|CACHE_KEY|REPLICAS/.test(warning)),
    [],
  )
})

const urlProblem = /^REDIS_URL: must be redis:\/\/USER:PASSWORD@HOST/
const keysProblem = 'CACHE_KEY_FILE: must be set with REDIS_URL, because nothing is shared unsealed'
const refProblem =
  'CONTACT_REF_KEY: must be set with REDIS_URL, because replicas with other pseudonyms cannot share contacts'

t.test('each problem of the shared tier is one sentence without a value', async (t) => {
  const { env, fileOf } = arrange(t)
  const canaryUrl = 'http://user-canary:password-canary@host-canary/%'
  const rows: readonly (readonly [Record<string, string>, readonly (string | RegExp)[]])[] = [
    [{}, []],
    [{ REDIS_URL: canaryUrl }, [urlProblem]],
    [{ REDIS_URL: '', REDIS_URL_FILE: fileOf('url', canaryUrl) }, [urlProblem]],
    [{ REDIS_URL: '', REDIS_URL_FILE: '/missing' }, ['REDIS_URL_FILE: the file cannot be read (ENOENT)']],
    [{ REDIS_URL_FILE: fileOf('url', canaryUrl) }, ['REDIS_URL: must not be set together with REDIS_URL_FILE']],
    [{ CACHE_KEY_FILE: '' }, [keysProblem]],
    [{ CACHE_KEY_FILE: '/missing' }, ['CACHE_KEY_FILE: the file cannot be read (ENOENT)']],
    [{ CACHE_KEY_FILE: fileOf('long', 'x'.repeat(8193)) }, ['CACHE_KEY_FILE: the file is larger than 8192 bytes']],
    [
      { CACHE_KEY_FILE: fileOf('wrong', '{"names":"key-canary","seal":[]}') },
      [/^CACHE_KEY_FILE: names: must be 32 bytes/, /^CACHE_KEY_FILE: seal: /],
    ],
    [{ CONTACT_REF_KEY: '' }, [refProblem]],
    [{ REDIS_CA_FILE: '/missing' }, ['REDIS_CA_FILE: the file cannot be read (ENOENT)']],
    ...[
      'canary',
      throwawayKey,
      certificate.replace('MIIB', 'MIIC'),
      certificate + throwawayKey,
      certificate + certificate.slice(0, 200),
    ].map(
      (text, index) =>
        [{ REDIS_CA_FILE: fileOf(`ca${index}`, text) }, ['REDIS_CA_FILE: must hold certificates in PEM']] as const,
    ),
    ...['a b', 'é', '{a}', 'a:', 'a'.repeat(65)].map(
      (prefix) => [{ REDIS_KEY_PREFIX: prefix }, ['REDIS_KEY_PREFIX: must be 1 to 64 letters, digits and -']] as const,
    ),
    ...['0', '1001', '1.5', 'x'].map(
      (count) => [{ REPLICAS_EXPECTED: count }, ['REPLICAS_EXPECTED: must be a whole number from 1 to 1000']] as const,
    ),
    // All at once, with those of other settings.
    [
      { REDIS_URL: canaryUrl, CACHE_KEY_FILE: '', CONTACT_REF_KEY: '', REDIS_CA_FILE: '/missing', LOG_LEVEL: 'canary' },
      [/^LOG_LEVEL/, refProblem, urlProblem, /^REDIS_CA_FILE/, keysProblem],
    ],
  ]
  const check = async ([changes, wanted]: (typeof rows)[number]) => {
    const problems = await problemsOf({ ...env, ...changes })
    if (/canary/.test(problems.join())) return 'a value is shown'
    const isWanted = (problem: string, sentence: string | RegExp = '') =>
      typeof sentence === 'string' ? problem === sentence : sentence.test(problem)
    const areWanted = problems.every((problem, index) => isWanted(problem, wanted[index]))
    return problems.length === wanted.length && areWanted ? null : problems.join('; ') || 'no problem'
  }
  await checkRowsInTurn(t, rows, check, 'each setting')
})

t.test('what is questionable about the shared tier is a warning without a value', async (t) => {
  const { env, fileOf } = arrange(t)
  const plain = /^REDIS_URL does not begin with rediss: the password, .* unencrypted to another machine$/
  const alone = /^REPLICAS_EXPECTED is not set: /
  const ca = fileOf('ca', certificate)
  const rows: readonly (readonly [Record<string, string>, RegExp | null])[] = [
    [{}, null],
    ...['redis://[::1]:1', 'redis://127.0.0.2', 'rediss://host-canary', 'redis+sentinel://localhost,127.0.0.1/m'].map(
      (url) => [{ REDIS_URL: url }, null] as const,
    ),
    ...['redis://host-canary', 'redis://10.0.0.1', 'redis+sentinel://localhost,host-canary/m'].map(
      (url) => [{ REDIS_URL: url }, plain] as const,
    ),
    [{ REPLICAS_EXPECTED: '' }, alone],
    [{ REPLICAS_EXPECTED: '1' }, null],
    [{ REDIS_URL: '' }, /^CACHE_KEY_FILE is not used, because REDIS_URL is not set$/],
    [{ REDIS_URL: '', CACHE_KEY_FILE: '/missing' }, /^CACHE_KEY_FILE is not used/],
    [{ REDIS_CA_FILE: ca }, /^REDIS_CA_FILE is not used, because REDIS_URL does not begin with rediss$/],
    [{ REDIS_URL: '', CACHE_KEY_FILE: '', REDIS_CA_FILE: ca }, /^REDIS_CA_FILE is not used/],
    [{ REDIS_URL: 'rediss://host-canary', REDIS_CA_FILE: ca }, null],
  ]
  const check = async ([changes, wanted]: (typeof rows)[number]) => {
    const { warnings } = await load({ ...env, ...changes })
    const found = warnings.filter((warning) => !warning.startsWith('DANGEROUSLY'))
    const isRight = wanted === null ? found.length === 0 : found.length === 1 && wanted.test(found.join())
    return difference([isRight, /canary/.test(found.join())], [true, false])
  }
  await checkRowsInTurn(t, rows, check, 'each setting')
})

t.test('a key file that is a pipe is read and not watched', async (t) => {
  const { env } = arrange(t)
  const files = await readSettingsFiles(env)
  const piped = Object.fromEntries(
    Object.entries(files).map(([name, reading]) => [name, { ...reading, seen: { ...reading.seen, isPipe: true } }]),
  )
  t.equal(loadConfig(env, 0, files).sharedTier?.cacheKeyFile, env.CACHE_KEY_FILE)
  t.match(loadConfig(env, 0, piped as typeof files).sharedTier, {
    cacheKeyFile: null,
    cacheKeys: { seal: [{ id: 3 }] },
  })
})
