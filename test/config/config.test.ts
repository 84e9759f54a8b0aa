import { createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { Secret } from '../../src/common/secret.ts'
import { type Config, ConfigError, loadConfig } from '../../src/config/config.ts'
import { readSettingsFiles, type SettingsFiles } from '../../src/config/settings.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { checkRows, difference } from '../harness/table.ts'

const minimum = { HILOS_TOKEN: 'token-canary', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' }

/** The problems of these settings, which are added to the minimum. */
function problemsOf(env: Record<string, string>, files?: SettingsFiles): readonly string[] {
  try {
    loadConfig({ ...minimum, ...env }, 0, files)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

/** The problems of these settings and the files that they name. */
async function fileProblemsOf(env: Record<string, string>): Promise<readonly string[]> {
  return problemsOf(env, await readSettingsFiles(env))
}

/** The configuration from these settings and the files that they name. */
async function loadWithFiles(env: Record<string, string>): Promise<Config> {
  return loadConfig(env, 0, await readSettingsFiles(env))
}

/** The bytes of each store. */
function shares({ documentsMaxBytes, renderingsMaxBytes, absencesMaxBytes, ownAbsencesMaxBytes }: Config['cache']) {
  return [documentsMaxBytes, renderingsMaxBytes, absencesMaxBytes, ownAbsencesMaxBytes]
}

/** The names of the settings that have a problem. */
function wrongOf(env: Record<string, string>): string[] {
  return problemsOf(env).map((problem) => problem.split(':', 1)[0] ?? '')
}

const tokens = { JWT_ISSUER: 'https://a.example', JWT_AUDIENCE: 'b', JWT_JWKS_URL: 'https://a.example/keys' }

/** The path of a file that does not exist. */
const missing = '/nothing-here'

/** Makes files in a folder of the test, and returns their paths. */
function fileIn(t: Test) {
  const folder = t.testdir()
  return (name: string, content: string) => {
    const path = join(folder, name)
    writeFileSync(path, content)
    return path
  }
}

t.test('the minimum of settings has the documented defaults', async (t) => {
  const { hilos, contact, disclosureKey, warnings, limits, ...rest } = loadConfig(minimum)
  t.match(hilos, {
    baseUrl: 'https://api.hilos.io/channel/whatsapp',
    proxy: null,
    timeoutMs: 8000,
    maxCallsPerSecond: 5,
    rateMargin: 0.05,
    maxWaitMs: 4000,
    maxBodyBytes: 5 * 1024 * 1024,
    connectTimeoutMs: 2400,
    maxConnections: 16,
    maxQueuedCalls: 100,
    retries: { share: 0.1, reserve: 5, longestDelayMs: 100 },
    circuitBreaker: { maxFailedContacts: 10, openMs: 1000, refusalMs: 1000, maxPausedContacts: 500 },
    ...{ tokenFile: null, nextToken: null, nextTokenFile: null },
  })
  t.equal(hilos.token.reveal(), 'token-canary')
  t.strictSame(rest, {
    notes: [],
    callers: { host: '127.0.0.1', port: 3000 },
    operators: { host: '127.0.0.1', port: 3001, allowedHosts: [], deletionToken: null },
    access: {
      callersFile: null,
      tokens: null,
      allowAnonymous: true,
      maxRequestsPerSecond: 50,
      maxCallersFileBytes: 1024 * 1024,
      guesses: { max: 60, windowMs: 60_000 },
      strangers: { max: 300, windowMs: 1000 },
      maxBatch: 25,
      maxCounted: 5000,
      maxCachedTokens: 10_000,
      notFoundStepMs: 1000,
    },
    corsOrigins: [],
    docs: 'callers',
    cache: {
      documentsMaxBytes: 36 * 1024 * 1024,
      renderingsMaxBytes: 24 * 1024 * 1024,
      absencesMaxBytes: 2 * 1024 * 1024,
      ownAbsencesMaxBytes: 2 * 1024 * 1024,
      lifetimeScale: 1,
      reloads: { perKeyMs: 10_000, perCaller: { max: 6, windowMs: 60_000 }, maxEntries: 10_000 },
      slowMs: 400,
      failureTtlMs: 1000,
      maxRecentFailures: 1000,
      sweepMs: 10_000,
    },
    watch: { maxLoadsPerSecond: 2.5, maxUnderWay: 5, share: 0.5, retryMs: 5000 },
    streams: {
      maxOfCaller: 100,
      max: 1000,
      heartbeatMs: 9000,
      stalledMs: 18_000,
      longestHeartbeatMs: 15_000,
      shortestLifetimeMs: 1_800_000,
      longestLifetimeMs: 2_700_000,
      longestWaitMs: 30_000,
      sweepMs: 1000,
    },
    logLevel: 'info',
    disclosureLogLevel: 'info',
    sourceCommit: null,
    sharedTier: null,
    shutdown: { drainDelayMs: 0, idleGraceMs: 500, timeoutMs: 10_000 },
    shedding: {
      memoryLimitBytes: null,
      sampleMs: 1000,
      maxEventLoopDelayMs: 250,
      memoryShare: 0.9,
      longestMemoryBurstMs: 5000,
      quietMs: 10_000,
    },
  })
  t.strictSame(contact.metaKeys, [])
  t.match(contact, {
    maxElements: 10_000,
    largestOnLoop: { bytes: 64 * 1024, elements: 500 },
    threadIdleMs: 60_000,
  })
  t.equal(contact.refKey.reveal().length, 64)
  t.equal(
    new Set([contact.refKey, contact.idKey, disclosureKey].map((key) => key.reveal())).size,
    3,
    'a key for each use',
  )
  t.not(contact.refKey.reveal(), loadConfig(minimum).contact.refKey.reveal(), 'random per process')
  t.match(warnings, [/^DANGEROUSLY_ALLOW_ANONYMOUS: /, /^CONTACT_REF_KEY is not set: /])
  t.equal(warnings.length, 2)
  t.strictSame(limits, {
    headersTimeoutMs: 5000,
    requestTimeoutMs: 10_000,
    timeoutCheckMs: 1000,
    keepAliveMs: 72_000,
    maxConnections: 4096,
    strangerKeepAliveMs: 5000,
    maxUnanswered: 8,
    maxWaiting: 56,
    lingerMs: 2000,
    maxHeaderBytes: 16_384,
    maxUrlLength: 2048,
    silentSocketMs: 18_000,
  })
})

t.test('the limits of watching follow those of the calls to Hilos', (t) => {
  checkRows(
    t,
    [
      ['5', 2.5, 5],
      ['10', 5, 8],
      ['0.2', 0.1, 2],
      ['1000', 500, 8],
      ['0', 0, 8],
    ] as const,
    ([HILOS_MAX_RPS, ...expected]) => {
      const { watch } = loadConfig({ ...minimum, HILOS_MAX_RPS })
      return difference([watch.maxLoadsPerSecond, watch.maxUnderWay], expected)
    },
    'the loads a second and at once',
  )
  const { streams } = loadConfig({ ...minimum, HILOS_TIMEOUT_MS: '120000' })
  t.match(streams, { heartbeatMs: 15_000, stalledMs: 130_000 })
  t.end()
})

t.test('all settings are read, typed and frozen', async (t) => {
  const derived = (use: string) => createHmac('sha256', 'sixteen letters!').update(use).digest('hex')
  const issuer = {
    issuer: 'https://issuer.example/',
    audience: 'bff',
    jwksUrl: 'https://issuer.example/keys?v=2',
    proxy: null,
    connectTimeoutMs: 3000,
  }
  const table: readonly (readonly [string, string, (config: Config) => unknown, unknown])[] = [
    ['HILOS_BASE_URL', 'https://acme.example/api//', ({ hilos }) => hilos.baseUrl, 'https://acme.example/api'],
    ['HILOS_TIMEOUT_MS', '1500', ({ hilos, limits }) => [hilos.timeoutMs, limits.silentSocketMs], [1500, 11_500]],
    ['HILOS_MAX_RPS', '0.5', ({ hilos }) => [hilos.maxCallsPerSecond, hilos.maxWaitMs], [0.5, 750]],
    ['HILOS_MAX_BODY_BYTES', '2048', ({ hilos }) => hilos.maxBodyBytes, 2048],
    ['HILOS_TOKEN_NEXT', 'next-token', ({ hilos }) => hilos.nextToken?.reveal(), 'next-token'],
    ['HOST', '0.0.0.0', ({ callers }) => callers.host, '0.0.0.0'],
    ['PORT', '8080', ({ callers }) => callers.port, 8080],
    ['KEEP_ALIVE_TIMEOUT_MS', '350000', ({ limits }) => limits.keepAliveMs, 350_000],
    ['ADMIN_PORT', '0', ({ operators }) => operators, null],
    ['JWT_ISSUER', issuer.issuer, ({ access }) => access.tokens, issuer],
    ['JWT_AUDIENCE', issuer.audience, ({ access }) => access.allowAnonymous, true],
    ['JWT_JWKS_URL', issuer.jwksUrl, ({ access }) => access.tokens, issuer],
    [
      'CORS_ORIGINS',
      ' https://a.example, http://b.example ,',
      ({ corsOrigins }) => corsOrigins.join(),
      'https://a.example,http://b.example',
    ],
    ['CALLER_MAX_RPS', '0', ({ access }) => access.maxRequestsPerSecond, 0],
    ['CALLER_MAX_STREAMS', '0', ({ streams }) => streams.maxOfCaller, 0],
    ['DISCLOSURE_LOG_LEVEL', 'silent', ({ disclosureLogLevel }) => disclosureLogLevel, 'silent'],
    ['CACHE_MAX_BYTES', '1048576', ({ cache }) => shares(cache), [589_824, 393_216, 32_768, 32_768]],
    ['CACHE_LIFETIME_SCALE', '0.5', ({ cache }) => cache.lifetimeScale, 0.5],
    ['CONTACT_REF_KEY', 'sixteen letters!', ({ contact }) => contact.refKey.reveal(), derived('contact.ref')],
    ['CONTACT_REF_KEY', 'sixteen letters!', ({ contact }) => contact.idKey.reveal(), derived('ids')],
    [
      'CONTACT_REF_KEY',
      'sixteen letters!',
      ({ disclosureKey }) => disclosureKey.reveal(),
      derived('record of disclosure'),
    ],
    ['CONTACT_META_KEYS', ' tier, delivery day ,,', ({ contact }) => contact.metaKeys, ['tier', 'delivery day']],
    ['LOG_LEVEL', 'debug', ({ logLevel }) => logLevel, 'debug'],
    ['DRAIN_DELAY_MS', '60', ({ shutdown }) => [shutdown.drainDelayMs, shutdown.idleGraceMs], [60, 10]],
    ['SHUTDOWN_TIMEOUT_MS', '100', ({ shutdown }) => shutdown.timeoutMs, 100],
    ['SOURCE_COMMIT', '68b5880', ({ sourceCommit }) => sourceCommit, '68b5880'],
  ]
  const env = Object.fromEntries(table.map(([name, value]) => [name, value]))
  const config = loadConfig({ ...minimum, ...env, UNRELATED: 'ignored' })
  checkRows(t, table, ([, , read, expected]) => difference(read(config), expected), 'each setting has its value')
  t.match(config.warnings.slice(1), [/^SHUTDOWN_TIMEOUT_MS minus DRAIN_DELAY_MS is not more than HILOS_TIMEOUT_MS/])
  t.equal(config.warnings.length, 2)
  for (const part of [config, config.hilos, config.callers, config.contact.metaKeys, config.limits, config.warnings])
    t.ok(Object.isFrozen(part))
  t.equal(loadConfig({ ...minimum, ADMIN_HOST: '::1' }).operators?.host, '::1')
})

t.test('all problems are named in one message, without a value', async (t) => {
  const wrong = {
    HILOS_TOKEN: 'canary with spaces',
    HILOS_BASE_URL: 'http://canary.example/',
    HILOS_TIMEOUT_MS: '0',
    HILOS_MAX_RPS: 'canary',
    HILOS_MAX_BODY_BYTES: '5 canaries',
    HILOS_TOKN: 'canary',
    HOST: 'canary!',
    PORT: '65536',
    KEEP_ALIVE_TIMEOUT_MS: '999',
    ADMIN_PORT: '-1',
    ADMIN_ALLOWED_HOSTS: 'https://canary.example',
    ADMIN_TOKEN: 'canary',
    ADMIN_TOKN: 'canary',
    CACHE_MAX_BYTES: '0',
    CACHE_LIFETIME_SCALE: 'canary',
    CONTACT_REF_KEY: 'canary',
    LOG_LEVEL: 'canary',
    DRAIN_DELAY_MS: 'canary',
    SHUTDOWN_TIMEOUT_MS: '99',
    SOURCE_COMMIT: 'canary',
    DANGEROUSLY_ALLOW_ANONYMOUS: 'canary',
    HILOS_TOKEN_NEXT: 'canary with spaces',
    CALLERS_FILE: '/canary.json',
    CALLER_MAX_RPS: '-1',
    CORS_ORIGINS: 'https://canary.example, *',
    CORS_ORIGIN: 'https://canary.example',
    DISCLOSURE_LOG_LEVEL: 'canary',
    JWT_ISSUER: 'https://canary .example',
    JWT_AUDIENCE: 'canary canary',
    JWT_JWKS_URL: 'http://canary.example/jwks',
  }
  const problems = problemsOf(wrong)
  t.strictSame([...new Set(wrongOf(wrong))].sort(), Object.keys(wrong).sort())
  const { message } = new ConfigError(problems)
  t.match(message, /^hilos-bff cannot start, 30 problems in its settings:\n {2}\w+: /)
  t.notMatch(message, /canar(y[^:]|ies)/)
  t.notMatch(message, /65536|\b999?\b/)
  const [one, problem] = new ConfigError(problemsOf({ PORT: 'x' })).message.split('\n')
  t.equal(one, 'hilos-bff cannot start, one problem in its settings:')
  t.equal(problem, '  PORT: must be a whole number from 0 to 65535')
})

t.test('each setting has these limits', async (t) => {
  const commit = '0123456789abcdef'.repeat(4)
  // The name, values that are accepted, and values that are rejected.
  const table: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['SOURCE_COMMIT', ['', commit, 'a'.repeat(7)], [`${commit}a`, 'a'.repeat(6), '68B5880', 'v1.2.3.4', ' 68b5880']],
    ['HILOS_TOKEN', ['!~', 'x'.repeat(4096)], ['\u00e9', 'x'.repeat(4097)]],
    ['HILOS_TOKEN_NEXT', ['!~', 'x'.repeat(4096)], ['\u007f', 'x'.repeat(4097)]],
    ['JWT_ISSUER', ['!~', 'x'.repeat(2048)], ['\u00e9', 'x'.repeat(2049)]],
    ['JWT_AUDIENCE', ['x'.repeat(2048)], ['x'.repeat(2049)]],
    ['CALLER_MAX_RPS', ['100000'], ['100001']],
    ['CALLER_MAX_STREAMS', ['0', '1000'], ['-1', '1001']],
    [
      'PORT',
      [' 80 ', '080', '0x50', '8e1', '80.0', '+80', '-0'],
      ['80.5', 'Infinity', '1e400', 'NaN', '1_0', '\uff11'],
    ],
    ['CACHE_LIFETIME_SCALE', ['0.5', '.5', '5.'], ['Infinity', '-0.1', 'null']],
    ['DOCS', ['off'], ['OFF', 'constructor']],
    ['LOG_LEVEL', ['silent'], ['Info']],
    ['DANGEROUSLY_ALLOW_ANONYMOUS', ['true'], ['1', 'TRUE', 'yes']],
    ['CONTACT_REF_KEY', ['\u{1f600}'.repeat(16)], ['\u{1f600}'.repeat(15)]],
    ['KEEP_ALIVE_TIMEOUT_MS', ['1000', '3600000'], ['999', '3600001']],
    ['HILOS_BASE_URL', ['https://api.hilos.io/api', 'HTTPS://API.HILOS.IO'], ['http://api.hilos.io', 'api.hilos.io']],
    ['HILOS_BASE_URL', ['http://localhost:9/x', 'http://[::1]:9'], ['http://localhost.evil.example', 'http://0.0.0.0']],
    ['HILOS_BASE_URL', ['http://127.0.0.1', 'http://127.1:80'], ['http://127.0.0.1.evil.example', 'https://']],
    ['HILOS_BASE_URL', [], ['https://user@api.hilos.io', 'https://:pass@api.hilos.io', 'file:///etc/passwd']],
    ['HILOS_BASE_URL', [], ['https://api.hilos.io/?x=1', 'https://api.hilos.io/?', 'https://api.hilos.io/#x']],
    ['HILOS_BASE_URL', [], ['ftp://api.hilos.io']],
    ['JWT_JWKS_URL', ['https://a.example/keys?v=2'], ['https://a.example/keys#x', 'https://a.example/keys#']],
    ['JWT_JWKS_URL', ['http://localhost:9/keys'], ['http://a.example/keys', 'https://user@a.example', 'a.example']],
    ['CORS_ORIGINS', ['https://a.example'], ['*', 'null', 'https://*.example', 'a.example', 'https://user@a.example']],
    ['CORS_ORIGINS', ['http://[::1]:5173'], ['https://a.example/', 'https://a.example/path', 'https://A.example']],
    ['CORS_ORIGINS', ['https://a.example:8443,http://localhost:5173'], ['https://a.example https://b.example']],
    ['CORS_ORIGINS', [], ['https://a.example:443', 'file:///index.html', 'ftp://a.example', 'wss://a.example']],
    ['CORS_ORIGINS', [], ['https://münchen.example']],
    [
      'ADMIN_ALLOWED_HOSTS',
      ['hilos-bff', ' a.example., B_1.example ,', '10.0.0.1,fd00::1,[::1]'],
      ['*', '*.a.example'],
    ],
    ['ADMIN_ALLOWED_HOSTS', [], ['http://a.example', 'a.example:3001', '10.0.0.1:3001', '[::1]:3001', 'a.example/x']],
    ['ADMIN_ALLOWED_HOSTS', [], ['a b', 'a..example', '.example', 'user@a.example', 'münchen.example', '1.2.3.4.5']],
    [
      'ADMIN_TOKEN',
      ['x'.repeat(16), 'x'.repeat(4096), `${'aZ09_.~+/-'.repeat(2)}==`],
      ['x'.repeat(15), 'x'.repeat(4097)],
    ],
    ['ADMIN_TOKEN', [], [`${'x'.repeat(16)} x`, `${'x'.repeat(16)}!`, `=${'x'.repeat(16)}`, `${'x'.repeat(15)}=`]],
  ]
  const values = table.flatMap(([name, good, bad]) => [
    ...good.map((value) => ({ name, value, wrong: [] })),
    ...bad.map((value) => ({ name, value, wrong: [name] })),
  ])
  checkRows(
    t,
    values,
    ({ name, value, wrong }) => difference(wrongOf({ ...tokens, [name]: value }), wrong),
    'each value is accepted or rejected',
  )
  t.equal(loadConfig({ ...minimum, SOURCE_COMMIT: '' }).sourceCommit, null)
  t.match(loadConfig({ ...minimum, HILOS_BASE_URL: 'http://localhost' }).warnings.at(-1), /plain http/)
})

t.test('an empty value counts as unset', async (t) => {
  const config = loadConfig({ ...minimum, PORT: '', HILOS_BASE_URL: ' ', ADMIN_PORT: '\t', HILOS_TOKEN_FILE: '' })
  t.match(config, { callers: { port: 3000 }, operators: { port: 3001 } })
})

t.test('the service does not start without a way to authenticate callers, unless the setting says true', async (t) => {
  const problems = problemsOf({ HILOS_TOKEN: '', DANGEROUSLY_ALLOW_ANONYMOUS: '' })
  t.equal(problems.length, 2)
  t.match(problems, [
    /^HILOS_TOKEN: must be the Hilos API key.*HILOS_TOKEN_FILE/,
    /^DANGEROUSLY_ALLOW_ANONYMOUS: .*CALLERS_FILE.*JWT_ISSUER/,
  ])
  for (const value of ['false', 'TRUE', '1', 'yes']) {
    const problem = problemsOf({ DANGEROUSLY_ALLOW_ANONYMOUS: value }).at(-1)
    t.match(problem, /^DANGEROUSLY_ALLOW_ANONYMOUS: must be true, because/)
  }
})

t.test('a callers file or access tokens authenticate callers', async (t) => {
  const entry = { name: 'a', keySha256: 'a'.repeat(64), profile: 'viewer' }
  const CALLERS_FILE = fileIn(t)('callers', JSON.stringify({ callers: [entry] }))
  for (const env of [
    { CALLERS_FILE },
    tokens,
    { CALLERS_FILE, ...tokens },
    { CALLERS_FILE, DANGEROUSLY_ALLOW_ANONYMOUS: 'false' },
  ]) {
    const { access, warnings } = await loadWithFiles({ HILOS_TOKEN: 'x', ...env })
    t.equal(access.allowAnonymous, false)
    t.match(warnings, [/^CONTACT_REF_KEY is not set/])
    t.equal(warnings.length, 1)
    if ('CALLERS_FILE' in env) t.match(access.callersFile, { path: CALLERS_FILE, entries: [{ ...entry, flows: null }] })
  }
})

t.test('the settings of access tokens need one another', async (t) => {
  for (const name of Object.keys(tokens)) {
    t.match(problemsOf({ ...tokens, [name]: '' }), [new RegExp(`^${name}: must be set too`)])
    const others = Object.keys(tokens).filter((other) => other !== name)
    t.strictSame(wrongOf({ [name]: Reflect.get(tokens, name) }).sort(), others.sort())
  }
})

t.test('access tokens are refused when certificates are not checked', async (t) => {
  const name = 'NODE_TLS_REJECT_UNAUTHORIZED'
  t.match(problemsOf({ ...tokens, [name]: '0' }), [/^NODE_TLS_REJECT_UNAUTHORIZED: must not be 0/])
  t.strictSame(problemsOf({ ...tokens, [name]: '1' }), [])
  t.strictSame(problemsOf({ [name]: '0' }), [], 'the certificate of Hilos is checked in any case')
})

t.test('each problem of the callers file is named, without a value', async (t) => {
  const file = fileIn(t)
  const wrong = JSON.stringify({ callers: [{ name: 'canary', profile: 'canary' }] })
  for (const [path, expected] of [
    [missing, /^CALLERS_FILE: the file cannot be read \(ENOENT\)$/],
    [file('empty', ''), /^CALLERS_FILE: the file is empty$/],
    [file('large', 'x'.repeat(1024 * 1024 + 1)), /^CALLERS_FILE: the file is larger than 1048576 bytes$/],
    [file('cut', '{"callers": [canary'), /^CALLERS_FILE: the file: is not JSON/],
    [file('wrong', wrong), /^CALLERS_FILE: callers\[0\].keySha256: .*\nCALLERS_FILE: callers\[0\].profile: [^\n]*$/],
  ] as const) {
    const problems = (await fileProblemsOf({ CALLERS_FILE: path })).join('\n')
    t.match(problems, expected)
    t.notMatch(problems, /canary/)
  }
})

t.test('an unknown name that begins like a setting is a problem, unless it is a link of Kubernetes', async (t) => {
  const slips = ['HILOS_TIMEOUT', 'HILOS_TOKEN_FLIE', 'HILOS_', 'HILOS_SERVICE', 'HILOS_BFF_PORTS', 'HILOSPORT']
  const others = [
    'ADMIN_HOSTS',
    'ADMIN_TOKEN_FLIE',
    'CALLERSERVICE_HOST',
    'CALLER_FILE',
    'CALLERS_FILES',
    'CALLERS',
    'JWT_JWKS',
    'JWT_SECRET',
    ...['REDIS_HOST', 'REDIS_PASSWORD', 'REDIS_URI', 'REPLICAS', 'REPLICAS_EXPECT', 'CACHE_KEY', 'CACHE_KEYS_FILE'],
  ]
  const exact = [...slips, ...others, 'CORS_ORIGIN', 'HILOS_TOKEN_NEXT_FLIE', 'HILOS'.padEnd(64, 'S')]
  for (const [name, shown] of [
    ...exact.map((name) => [name, name] as const),
    // Only the part that looks like a name is shown.
    ['HILOS_\u001b[31mRED', 'HILOS_…'],
    ['HILOS_\nX: must be', 'HILOS_…'],
    ['JWT-ISSUER', 'JWT…'],
    ['HILOS'.padEnd(65, 'S'), `${'HILOS'.padEnd(64, 'S')}…`],
  ] as const)
    t.match(problemsOf({ [name]: 'x' }), [`${shown}: is not a setting and is probably misspelt`])
  t.notMatch(problemsOf({ CORS_ORIGIN: 'x' }).join(), 'LOG_LEVEL', 'only similar settings are listed')
  t.strictSame(problemsOf({ THEIR_HILOS_TOKN: 'x' }), [])
  const ports = ['', '_3000_TCP', '_3000_TCP_ADDR'].map((end) => `HILOS_BFF_PORT${end}`)
  const services = ['HOST', 'PORT', 'PORT_HTTP'].map((end) => `HILOS_BFF_SERVICE_${end}`)
  const redis = ['PORT', 'SERVICE_HOST', 'SERVICE_PORT', 'PORT_6379_TCP', 'PORT_6379_TCP_ADDR'].map(
    (end) => `REDIS_${end}`,
  )
  const links = [...redis, 'HILOS_SERVICE_HOST', 'HILOS_PORT', 'JWT_ISSUER_SERVICE_HOST', ...ports, ...services]
  t.strictSame(problemsOf(Object.fromEntries(links.map((name) => [name, 'tcp://10.0.0.1:3000']))), [])
})

t.test(
  'the operators’ listener has the names in two settings, and needs a token unless only this machine can reach it',
  async (t) => {
    const configOf = (env: Record<string, string>) => loadWithFiles({ ...minimum, ...env })
    const names = { ADMIN_HOST: 'ops.example', ADMIN_ALLOWED_HOSTS: ' a.example, ::1,' }
    t.strictSame((await configOf(names)).operators?.allowedHosts, ['ops.example', 'a.example', '::1'])
    t.equal((await configOf({ ADMIN_HOST: 'localhost' })).operators?.host, '127.0.0.1', 'one address')
    const notSet = /^ADMIN_TOKEN is not set: operators cannot delete from the cache/m
    const isMissing = /^ADMIN_TOKEN_FILE: the file is missing, as it may be$/m
    const token = 'sixteen-letters-and-more'
    for (const [env, needed, warning] of [
      [{ ADMIN_HOST: 'localhost' }, false, null],
      [{ ADMIN_HOST: '::1' }, false, null],
      [{ ADMIN_HOST: '0.0.0.0' }, true, notSet],
      [{ ADMIN_HOST: '::' }, true, notSet],
      [{ ADMIN_HOST: 'ops.example' }, true, notSet],
      [{ ADMIN_TOKEN_FILE: missing }, true, isMissing],
      [{ ADMIN_HOST: '0.0.0.0', ADMIN_TOKEN_FILE: missing }, true, isMissing],
    ] as const) {
      const { operators, warnings, notes } = await configOf(env)
      t.equal(operators?.deletionToken !== null, needed, JSON.stringify(env))
      const about = [...warnings, ...notes].filter((each) => each.startsWith('ADMIN'))
      t.match(about, warning ? [warning] : [], JSON.stringify(env))
      t.equal(about.length, warning ? 1 : 0)
      t.not(
        operators?.deletionToken?.reveal(),
        (await configOf(env)).operators?.deletionToken?.reveal() ?? token,
        'unknown',
      )
    }
    for (const env of [{ ADMIN_TOKEN: token }, { ADMIN_TOKEN_FILE: fileIn(t)('token', `${token}\n`) }]) {
      const { operators, warnings } = await configOf({ ...env, ADMIN_HOST: '0.0.0.0' })
      t.equal(operators?.deletionToken?.reveal(), token)
      t.notMatch(warnings.join(), 'ADMIN')
    }
    t.notMatch((await configOf({ ADMIN_HOST: '0.0.0.0', ADMIN_PORT: '0' })).warnings.join(), 'ADMIN')
  },
)

t.test('the two ports differ, unless the system chooses them', async (t) => {
  t.match(problemsOf({ PORT: '3001' }), [/^ADMIN_PORT: must differ from PORT/])
  t.match(problemsOf({ PORT: '9', ADMIN_PORT: '9' }), [/^ADMIN_PORT: must differ from PORT/])
  t.strictSame(problemsOf({ PORT: '0', ADMIN_PORT: '0' }), [])
})

t.test('a secret can be read from a file', async (t) => {
  const file = fileIn(t)
  const good = file('good', 'from-a-file\r\n\n')
  const { hilos, contact, warnings } = await loadWithFiles({
    DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
    HILOS_TOKEN_FILE: good,
    CONTACT_REF_KEY_FILE: file('key', 'a key of sixteen letters and more'),
  })
  t.equal(hilos.token.reveal(), 'from-a-file')
  const key = new Secret('a key of sixteen letters and more')
  t.equal(contact.refKey.reveal(), key.derived('contact.ref').reveal())
  t.equal(warnings.length, 1)

  for (const [path, problem] of [
    [missing, /^HILOS_TOKEN_FILE: the file cannot be read \(ENOENT\)$/],
    [file('empty', '\n'), /^HILOS_TOKEN_FILE: the file is empty$/],
    [file('large', 'x'.repeat(8193)), /^HILOS_TOKEN_FILE: the file is larger than 8192 bytes$/],
    [file('two-lines', 'canary\ncanary\n'), /^HILOS_TOKEN: must be the Hilos API key/],
  ] as const) {
    const problems = await fileProblemsOf({ HILOS_TOKEN: '', HILOS_TOKEN_FILE: path })
    t.match(problems[0], problem)
    t.notMatch(problems.join('\n'), /canary|testdir|\.tap/)
  }
  for (const path of [good, missing]) {
    const problems = await fileProblemsOf({ HILOS_TOKEN_FILE: path })
    t.match(problems, [/^HILOS_TOKEN: must not be set together with/])
    t.equal(problems.length, 1)
  }
})

t.test('the file of the next token may be empty or missing', async (t) => {
  const file = fileIn(t)
  for (const [path, kind, remark] of [
    [file('empty', ''), 'warnings', 'the file is empty'],
    [missing, 'notes', 'the file is missing, as it may be'],
  ] as const) {
    const { hilos, ...remarks } = await loadWithFiles({ ...minimum, HILOS_TOKEN_NEXT_FILE: path })
    t.match(hilos, { nextToken: null, nextTokenFile: path })
    for (const each of ['warnings', 'notes'] as const) {
      const about = remarks[each].filter((text) => text.startsWith('HILOS'))
      t.strictSame(about, each === kind ? [`HILOS_TOKEN_NEXT_FILE: ${remark}`] : [])
    }
  }
  const { hilos } = await loadWithFiles({ ...minimum, HILOS_TOKEN_NEXT_FILE: file('next', 'next-token\n') })
  t.equal(hilos.nextToken?.reveal(), 'next-token')
  t.match(await fileProblemsOf({ HILOS_TOKEN_NEXT_FILE: file('bad', 'two words') }), [/^HILOS_TOKEN_NEXT: must be/])
  for (const name of ['HILOS_TOKEN_NEXT_FILE', 'ADMIN_TOKEN_FILE']) {
    const problems = await fileProblemsOf({ [name]: file('large', 'x'.repeat(9000)) })
    t.match(problems, [new RegExp(`^${name}: the file is larger`)], 'what is there has to be readable')
  }
})

t.test('a file that is a pipe is read and not watched, and one that was not read is a problem', async (t) => {
  const text = JSON.stringify({ callers: [] })
  const readingOf = (text: string, isPipe: boolean) => ({
    content: { text },
    seen: { mode: 0o600, owner: 0, isLink: false, isPipe },
  })
  const env = { HILOS_TOKEN_FILE: '/dev/fd/62', HILOS_TOKEN_NEXT_FILE: '/next', CALLERS_FILE: '/dev/fd/63' }
  const files = {
    HILOS_TOKEN_FILE: readingOf('piped', true),
    HILOS_TOKEN_NEXT_FILE: readingOf('next', false),
    CALLERS_FILE: readingOf(text, true),
  }
  const { hilos, access } = loadConfig(env, 0, files)
  t.equal(hilos.token.reveal(), 'piped')
  t.match(hilos, { tokenFile: null, nextTokenFile: '/next' })
  t.match(access.callersFile, { path: null, text })
  t.match(problemsOf({ CALLERS_FILE: '/callers' }), ['CALLERS_FILE: the file was not read'])
})

t.test('no secret is shown when the settings are logged or inspected', async (t) => {
  const config = loadConfig({ ...minimum, CONTACT_REF_KEY: 'ref-key-canary-0', ADMIN_TOKEN: 'admin-token-canary' })
  const lines: string[] = []
  createLogger('trace', { write: (line) => void lines.push(line) }).info({ config }, `${config.hilos.token}`)
  for (const text of [inspect(config, { depth: 9, showHidden: true }), JSON.stringify(config), lines.join()])
    t.notMatch(text, /canary/)
})

t.test('the budget of the cache is divided into whole bytes', async (t) => {
  for (const given of [1_048_576, 1_048_577, 50_000_001, 100_000_007]) {
    const parts = shares(loadConfig({ ...minimum, CACHE_MAX_BYTES: String(given) }).cache)
    const sum = parts.reduce((sum, part) => sum + part)
    t.ok(parts.every(Number.isInteger) && sum === given, String(given))
  }
})

t.test('the delay of the drain leaves time for the shutdown', async (t) => {
  for (const [DRAIN_DELAY_MS, SHUTDOWN_TIMEOUT_MS, wrong] of [
    ['9999', '', false],
    ['10000', '', true],
    ['300000', '300000', true],
    ['300000', '300001', false],
    ['300001', '600000', true],
    ['-1', '', true],
  ] as const)
    t.strictSame(wrongOf({ DRAIN_DELAY_MS, SHUTDOWN_TIMEOUT_MS }), wrong ? ['DRAIN_DELAY_MS'] : [], DRAIN_DELAY_MS)
})

t.test('the memory limit is the one that Node.js reports, if there is one', async (t) => {
  for (const [constrainedMemoryBytes, memoryLimitBytes] of [
    [536_870_912, 536_870_912],
    [1, 1],
    [0, null],
    // Without a limit, in cgroup version 1 and in version 2.
    [2 ** 63 - 4096, null],
    [2 ** 64, null],
    [undefined, null],
  ] as const)
    t.match(loadConfig(minimum, constrainedMemoryBytes).shedding, { memoryLimitBytes })
})

t.test('valid settings that are questionable are a warning', async (t) => {
  const mebibyte = 1024 * 1024
  const cacheWarning = 'CACHE_MAX_BYTES is more than a quarter'
  const stopWarning = 'SHUTDOWN_TIMEOUT_MS minus DRAIN_DELAY_MS'
  for (const [env, limitBytes, warning] of [
    [{}, 256 * mebibyte, null],
    [{}, 256 * mebibyte - 1, cacheWarning],
    [{ CACHE_MAX_BYTES: `${mebibyte}` }, 4 * mebibyte, null],
    [{ CACHE_MAX_BYTES: `${mebibyte}` }, 4 * mebibyte - 1, cacheWarning],
    [{ CACHE_MAX_BYTES: `${64 * 1024 * mebibyte}` }, 0, null],
    [{ HILOS_TIMEOUT_MS: '10000' }, 0, stopWarning],
    [{ HILOS_TIMEOUT_MS: '9999' }, 0, null],
    [{ SHUTDOWN_TIMEOUT_MS: '8000' }, 0, stopWarning],
    [{ SHUTDOWN_TIMEOUT_MS: '8001' }, 0, null],
    [{ SHUTDOWN_TIMEOUT_MS: '9000', DRAIN_DELAY_MS: '1000' }, 0, stopWarning],
    [{ SHUTDOWN_TIMEOUT_MS: '9001', DRAIN_DELAY_MS: '1000' }, 0, null],
  ] as const) {
    const warnings = loadConfig({ ...minimum, ...env }, limitBytes).warnings.slice(2)
    t.match(warnings, warning === null ? [] : [warning], JSON.stringify(env))
    t.equal(warnings.length, warning === null ? 0 : 1)
    t.notMatch(warnings.join(), /canary/)
  }
})
