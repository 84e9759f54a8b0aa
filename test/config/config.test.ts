import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { ConfigError, loadConfig } from '../../src/config/config.ts'
import { createLogger } from '../../src/telemetry/logger.ts'

const minimum = { HILOS_TOKEN: 'token-canary', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' }

/** What is wrong with these settings, on top of the least that is needed. */
function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig({ ...minimum, ...env })
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

function names(problems: readonly string[]): string[] {
  return problems.map((problem) => problem.split(':', 1)[0] ?? '')
}

t.test('the settings, when only the least is given, have the documented defaults', async (t) => {
  const { hilos, contact, warnings, limits, ...rest } = loadConfig(minimum)
  t.match(hilos, {
    baseUrl: 'https://api.hilos.io/channel/whatsapp',
    timeoutMs: 8000,
    maxCallsPerSecond: 5,
    maxWaitMs: 4000,
    maxBodyBytes: 5 * 1024 * 1024,
    connectTimeoutMs: 1000,
    maxConnections: 16,
    maxElements: 10_000,
  })
  t.equal(hilos.token.reveal(), 'token-canary')
  t.match(hilos, { tokenFile: null, nextToken: null, nextTokenFile: null })
  t.strictSame(rest, {
    callers: { host: '127.0.0.1', port: 3000 },
    operators: { host: '127.0.0.1', port: 3001 },
    access: {
      callersFile: null,
      tokens: null,
      allowAnonymous: true,
      maxRequestsPerSecond: 50,
      maxCallersFileBytes: 1024 * 1024,
      guesses: { max: 60, windowMs: 60_000 },
      maxRememberedTokens: 10_000,
      concealmentGridMs: 1000,
    },
    corsOrigins: [],
    cache: {
      documentsMaxBytes: 36 * 1024 * 1024,
      renderingsMaxBytes: 24 * 1024 * 1024,
      absencesMaxBytes: 2 * 1024 * 1024,
      ownAbsencesMaxBytes: 2 * 1024 * 1024,
      lifetimeScale: 1,
      reloadFloorMs: 1000,
      slowMs: 400,
      setbackMs: 1000,
      maxSetbacks: 1000,
      sweepMs: 10_000,
    },
    logLevel: 'info',
    disclosureLogLevel: 'info',
    sourceCommit: null,
    shutdown: { drainDelayMs: 0, lingerMs: 500, timeoutMs: 10_000 },
    shedding: {
      memoryLimitBytes: null,
      sampleMs: 1000,
      maxEventLoopDelayMs: 250,
      memoryShare: 0.9,
      longestMemorySpellMs: 5000,
      quietMs: 10_000,
    },
  })
  t.strictSame(contact.metaKeys, [])
  t.equal(contact.refKey.reveal().length, 43)
  t.not(contact.refKey.reveal(), loadConfig(minimum).contact.refKey.reveal(), 'random per process')
  t.match(warnings, [/^DANGEROUSLY_ALLOW_ANONYMOUS: /, /^CONTACT_REF_KEY is not set: /])
  t.equal(warnings.length, 2)
  t.strictSame(limits, {
    headersTimeoutMs: 5000,
    requestTimeoutMs: 10_000,
    timeoutCheckMs: 1000,
    keepAliveMs: 72_000,
    maxConnections: 4096,
    maxHeaderBytes: 8192,
    maxUrlLength: 2048,
    silentSocketMs: 18_000,
  })
})

t.test('the settings, when all are given, are taken over, typed and frozen', async (t) => {
  const config = loadConfig({
    ...minimum,
    HILOS_BASE_URL: 'https://acme.api-us1.com/api/3/channel/whatsapp//',
    HILOS_TIMEOUT_MS: '1500',
    HILOS_MAX_RPS: '0.5',
    HILOS_MAX_BODY_BYTES: '2048',
    HOST: '0.0.0.0',
    PORT: '8080',
    KEEP_ALIVE_TIMEOUT_MS: '350000',
    ADMIN_HOST: '::1',
    ADMIN_PORT: '0',
    JWT_ISSUER: 'https://issuer.example/',
    JWT_AUDIENCE: 'hilos-bff',
    JWT_JWKS_URL: 'https://issuer.example/keys?v=2',
    CORS_ORIGINS: ' https://support.example, http://localhost:5173 ,',
    CALLER_MAX_RPS: '0',
    HILOS_TOKEN_NEXT: 'next-token',
    DISCLOSURE_LOG_LEVEL: 'silent',
    CACHE_MAX_BYTES: '1048576',
    CACHE_LIFETIME_SCALE: '0.5',
    CONTACT_REF_KEY: 'sixteen letters!',
    CONTACT_META_KEYS: ' tier, delivery day ,,',
    LOG_LEVEL: 'debug',
    DRAIN_DELAY_MS: '60',
    SHUTDOWN_TIMEOUT_MS: '100',
    SOURCE_COMMIT: '68b5880',
    UNRELATED: 'ignored',
  })
  t.match(config, {
    hilos: {
      baseUrl: 'https://acme.api-us1.com/api/3/channel/whatsapp',
      timeoutMs: 1500,
      maxWaitMs: 750,
      maxCallsPerSecond: 0.5,
      maxBodyBytes: 2048,
    },
    callers: { host: '0.0.0.0', port: 8080 },
    operators: null,
    access: {
      tokens: { issuer: 'https://issuer.example/', audience: 'hilos-bff', jwksUrl: 'https://issuer.example/keys?v=2' },
      allowAnonymous: true,
      maxRequestsPerSecond: 0,
    },
    corsOrigins: ['https://support.example', 'http://localhost:5173'],
    cache: {
      documentsMaxBytes: 589_824,
      renderingsMaxBytes: 393_216,
      absencesMaxBytes: 32_768,
      ownAbsencesMaxBytes: 32_768,
      lifetimeScale: 0.5,
    },
    disclosureLogLevel: 'silent',
    contact: { metaKeys: ['tier', 'delivery day'] },
    logLevel: 'debug',
    sourceCommit: '68b5880',
    shutdown: { drainDelayMs: 60, lingerMs: 10, timeoutMs: 100 },
    limits: { keepAliveMs: 350_000, silentSocketMs: 11_500 },
  })
  t.equal(config.contact.refKey.reveal(), 'sixteen letters!')
  t.equal(config.hilos.nextToken?.reveal(), 'next-token')
  t.match(config.warnings.slice(1), [/^SHUTDOWN_TIMEOUT_MS less DRAIN_DELAY_MS is not more than HILOS_TIMEOUT_MS/])
  t.equal(config.warnings.length, 2)
  for (const part of [config, config.hilos, config.callers, config.contact.metaKeys, config.limits, config.warnings])
    t.ok(Object.isFrozen(part))
})

t.test('the commit, when it is seven to sixty-four lower-case digits, is taken, and nothing else is', async (t) => {
  for (const commit of ['a'.repeat(7), '0123456789abcdef'.repeat(4)])
    t.equal(loadConfig({ ...minimum, SOURCE_COMMIT: commit }).sourceCommit, commit)
  for (const wrong of ['a'.repeat(6), 'a'.repeat(65), '68B5880', 'v1.2.3.4', ' 68b5880'])
    t.strictSame(names(problemsOf({ SOURCE_COMMIT: wrong })), ['SOURCE_COMMIT'])
  t.equal(loadConfig({ ...minimum, SOURCE_COMMIT: '' }).sourceCommit, null, 'as an image built without it has it')
})

t.test('an empty value, when given, counts as unset', async (t) => {
  const config = loadConfig({ ...minimum, PORT: '', HILOS_BASE_URL: ' ', ADMIN_PORT: '\t', HILOS_TOKEN_FILE: '' })
  t.match(config, { callers: { port: 3000 }, operators: { port: 3001 } })
})

t.test('settings that are wrong, however many, are all named in one message without a value', async (t) => {
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
  t.strictSame([...new Set(names(problems))].sort(), Object.keys(wrong).sort())
  const { message } = new ConfigError(problems)
  t.match(message, /^hilos-bff cannot start, 27 problems in its settings:\n {2}\w+: /)
  t.notMatch(message, /canar(y[^:]|ies)/)
  t.notMatch(message, /65536|\b999?\b/)
})

t.test('the message, when there is one problem, counts one', async (t) => {
  t.match(
    new ConfigError(problemsOf({ PORT: 'x' })).message,
    /^hilos-bff cannot start, one problem in its settings:\n {2}PORT: must be a whole number from 0 to 65535$/,
  )
})

t.test('no settings at all, when started so, name what is needed and what would help', async (t) => {
  const problems = problemsOf({ HILOS_TOKEN: '', DANGEROUSLY_ALLOW_ANONYMOUS: '' })
  t.equal(problems.length, 2)
  t.match(problems, [
    /^HILOS_TOKEN: must be the Hilos API key.*HILOS_TOKEN_FILE/,
    /^DANGEROUSLY_ALLOW_ANONYMOUS: .*CALLERS_FILE.*JWT_ISSUER/,
  ])
})

t.test('callers, while nothing can tell who they are, must be let in by name', async (t) => {
  for (const value of ['false', 'TRUE', '1', 'yes'])
    t.match(
      problemsOf({ DANGEROUSLY_ALLOW_ANONYMOUS: value }).join('\n'),
      /^DANGEROUSLY_ALLOW_ANONYMOUS: must be true, because/m,
    )
})

const tokens = { JWT_ISSUER: 'https://a.example', JWT_AUDIENCE: 'b', JWT_JWKS_URL: 'https://a.example/keys' }

t.test('callers, when there is a way to know them, need not be let in by name', async (t) => {
  const file = fileIn(t)
  const callersFile = file(
    'callers',
    JSON.stringify({ callers: [{ name: 'a', keySha256: 'a'.repeat(64), profile: 'viewer' }] }),
  )
  for (const env of [{ CALLERS_FILE: callersFile }, tokens, { CALLERS_FILE: callersFile, ...tokens }]) {
    const { access, warnings } = loadConfig({ HILOS_TOKEN: 'x', ...env })
    t.equal(access.allowAnonymous, false)
    t.match(warnings, [/^CONTACT_REF_KEY is not set/])
    t.equal(warnings.length, 1)
  }
  const { access, warnings } = loadConfig({
    HILOS_TOKEN: 'x',
    CALLERS_FILE: callersFile,
    DANGEROUSLY_ALLOW_ANONYMOUS: 'false',
  })
  t.notMatch(warnings.join(), 'DANGEROUSLY_ALLOW_ANONYMOUS')
  t.match(access.callersFile, {
    path: callersFile,
    entries: [{ name: 'a', keySha256: 'a'.repeat(64), profile: 'viewer', flows: null }],
  })
})

t.test('the settings of access tokens, when some are missing, are named', async (t) => {
  for (const name of Object.keys(tokens)) {
    t.match(problemsOf({ ...tokens, [name]: '' }), [new RegExp(`^${name}: is needed as well`)])
    const others = Object.keys(tokens).filter((other) => other !== name)
    t.strictSame(names(problemsOf({ [name]: Reflect.get(tokens, name) })).sort(), others.sort())
  }
})

t.test('the issuer, when its certificate would not be checked, is not trusted', async (t) => {
  t.match(problemsOf({ ...tokens, NODE_TLS_REJECT_UNAUTHORIZED: '0' }), [
    /^NODE_TLS_REJECT_UNAUTHORIZED: must not be 0/,
  ])
  t.strictSame(problemsOf({ ...tokens, NODE_TLS_REJECT_UNAUTHORIZED: '1' }), [])
  t.strictSame(problemsOf({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }), [], 'of Hilos it is checked whatever that says')
})

t.test('the callers’ file, when anything is wrong with it, is named with each problem and its place', async (t) => {
  const file = fileIn(t)
  const two = JSON.stringify({ callers: [{ name: 'canary', profile: 'canary' }, {}] })
  const table = [
    [join(t.testdir(), 'nothing-here'), ['CALLERS_FILE: the file cannot be read (ENOENT)']],
    [file('empty', ''), ['CALLERS_FILE: the file is empty']],
    [file('large', 'x'.repeat(1024 * 1024 + 1)), ['CALLERS_FILE: the file is larger than 1048576 bytes']],
    [file('cut', '{"callers": [canary'), ['CALLERS_FILE: the file: is not JSON']],
    [
      file('two', two),
      ['keySha256', 'profile', 'name', 'keySha256', 'profile'].map(
        (each, index) => `CALLERS_FILE: callers[${index < 2 ? 0 : 1}].${each}: must be`,
      ),
    ],
  ] as const
  for (const [path, expected] of table) {
    const problems = problemsOf({ CALLERS_FILE: path })
    t.equal(problems.length, expected.length)
    for (const [index, start] of expected.entries()) t.ok(problems[index]?.startsWith(start), `${problems[index]}`)
    t.notMatch(problems.join(), /canary/)
  }
})

t.test('the origins of CORS, whatever is tried, are exact or refused', async (t) => {
  const table = [
    ['https://support.example', true],
    ['https://support.example:8443,http://localhost:5173', true],
    ['http://[::1]:5173', true],
    ['*', false],
    ['null', false],
    ['https://*.example', false],
    ['https://support.example/', false],
    ['https://support.example/path', false],
    ['https://Support.example', false],
    ['https://support.example:443', false],
    ['support.example', false],
    ['https://user@support.example', false],
    ['https://support.example https://other.example', false],
    ['file:///index.html', false],
    ['ftp://support.example', false],
    ['wss://support.example', false],
    ['https://münchen.example', false],
  ] as const
  for (const [origins, good] of table)
    t.strictSame(names(problemsOf({ CORS_ORIGINS: origins })), good ? [] : ['CORS_ORIGINS'], origins)
})

t.test('the next token, when its file has none yet, is done without', async (t) => {
  const file = fileIn(t)
  for (const path of [file('empty', ''), join(t.testdir(), 'nothing-here')]) {
    const { hilos, warnings } = loadConfig({ ...minimum, HILOS_TOKEN_NEXT_FILE: path })
    t.match(hilos, { nextToken: null, nextTokenFile: path })
    t.match(warnings.join('\n'), /^HILOS_TOKEN_NEXT_FILE: the file (is empty|cannot be read \(ENOENT\))$/m)
  }
  const { hilos } = loadConfig({ ...minimum, HILOS_TOKEN_NEXT_FILE: file('next', 'next-token\n') })
  t.equal(hilos.nextToken?.reveal(), 'next-token')
  t.match(problemsOf({ HILOS_TOKEN_NEXT_FILE: file('bad', 'two words') }), [/^HILOS_TOKEN_NEXT: must be/])
})

t.test('settings of later versions, when given, start with a warning', async (t) => {
  const { warnings } = loadConfig({ ...minimum, REDIS_URL: 'redis://canary' })
  t.match(warnings.slice(2), [/^REDIS_URL is set, but/])
  t.notMatch(warnings.join(), /canary/)
})

t.test(
  'a name that begins like a setting, when it is none, is taken for a slip; what Kubernetes puts there is not',
  async (t) => {
    for (const name of [
      ...['HILOS_TIMEOUT', 'HILOS_TOKEN_FLIE', 'HILOS_', 'HILOS_SERVICE', 'HILOS_BFF_PORTS'],
      ...[
        'HILOSPORT',
        'CALLERSERVICE_HOST',
        'CALLER_FILE',
        'CALLERS_FILES',
        'CALLERS',
        'JWT_JWKS',
        'JWT_SECRET',
        'CORS_ORIGIN',
        'HILOS_TOKEN_NEXT_FLIE',
      ],
    ])
      t.match(problemsOf({ [name]: 'x' }), [`${name}: is not a setting, probably misspelt`])
    for (const [name, shown] of [
      ['HILOS_\u001b[31mRED', 'HILOS_…'],
      ['HILOS_\nX: must be', 'HILOS_…'],
      ['JWT-ISSUER', 'JWT…'],
      ['HILOS'.padEnd(65, 'S'), `${'HILOS'.padEnd(64, 'S')}…`],
      ['HILOS'.padEnd(64, 'S'), 'HILOS'.padEnd(64, 'S')],
    ] as const)
      t.match(problemsOf({ [name]: 'x' }), [`${shown}: is not a setting`], 'only what looks like a name is shown')
    t.notMatch(problemsOf({ CORS_ORIGIN: 'x' }).join(), 'LOG_LEVEL', 'only what it can be a slip of is listed')
    t.strictSame(problemsOf({ THEIR_HILOS_TOKN: 'x' }), [])
    const links = [
      'HILOS_SERVICE_HOST',
      'HILOS_PORT',
      'HILOS_BFF_SERVICE_HOST',
      'HILOS_BFF_SERVICE_PORT',
      'HILOS_BFF_SERVICE_PORT_HTTP',
      'HILOS_BFF_PORT',
      'HILOS_BFF_PORT_3000_TCP',
      'HILOS_BFF_PORT_3000_TCP_ADDR',
      'JWT_ISSUER_SERVICE_HOST',
    ]
    t.strictSame(problemsOf(Object.fromEntries(links.map((name) => [name, 'tcp://10.0.0.1:3000']))), [])
  },
)

t.test('the base URL, whatever is tried, is https or stays on this machine', async (t) => {
  const table = [
    ['https://api.hilos.io/api', true],
    ['HTTPS://API.HILOS.IO', true],
    ['http://localhost:9/x', true],
    ['http://127.0.0.1', true],
    ['http://127.1:80', true],
    ['http://[::1]:9', true],
    ['http://api.hilos.io', false],
    ['http://localhost.evil.example', false],
    ['http://127.0.0.1.evil.example', false],
    ['http://0.0.0.0', false],
    ['https://user@api.hilos.io', false],
    ['https://:pass@api.hilos.io', false],
    ['https://api.hilos.io/?x=1', false],
    ['https://api.hilos.io/?', false],
    ['https://api.hilos.io/#x', false],
    ['ftp://api.hilos.io', false],
    ['file:///etc/passwd', false],
    ['api.hilos.io', false],
    ['https://', false],
  ] as const
  for (const [url, good] of table)
    t.strictSame(names(problemsOf({ HILOS_BASE_URL: url })), good ? [] : ['HILOS_BASE_URL'], url)
  t.match(loadConfig({ ...minimum, HILOS_BASE_URL: 'http://localhost' }).warnings.at(-1), /plain http/)
})

t.test('the URL of the issuer’s keys, whatever is tried, is https or stays on this machine', async (t) => {
  const table = [
    ['https://a.example/keys?v=2', true],
    ['http://localhost:9/keys', true],
    ['http://a.example/keys', false],
    ['https://user@a.example/keys', false],
    ['https://:pass@a.example/keys', false],
    ['https://a.example/keys#x', false],
    ['https://a.example/keys#', false],
    ['a.example/keys', false],
  ] as const
  for (const [url, good] of table)
    t.strictSame(names(problemsOf({ ...tokens, JWT_JWKS_URL: url })), good ? [] : ['JWT_JWKS_URL'], url)
})

t.test('each setting that is bounded, at its bound, is taken; one more is refused', async (t) => {
  const table = [
    ['HILOS_TOKEN', 'x'.repeat(4096), 'x'.repeat(4097)],
    ['HILOS_TOKEN_NEXT', 'x'.repeat(4096), 'x'.repeat(4097)],
    ['JWT_ISSUER', 'x'.repeat(2048), 'x'.repeat(2049)],
    ['JWT_AUDIENCE', 'x'.repeat(2048), 'x'.repeat(2049)],
    ['HILOS_TOKEN', '!~', '\u00e9'],
    ['HILOS_TOKEN_NEXT', '!~', '\u007f'],
    ['JWT_ISSUER', '!~', '\u00e9'],
    ['CALLER_MAX_RPS', '100000', '100001'],
    ['KEEP_ALIVE_TIMEOUT_MS', '1000', '999'],
    ['KEEP_ALIVE_TIMEOUT_MS', '3600000', '3600001'],
  ] as const
  for (const [name, good, bad] of table) {
    t.strictSame(problemsOf({ ...tokens, [name]: good }), [], name)
    t.strictSame(names(problemsOf({ ...tokens, [name]: bad })), [name], name)
  }
})

t.test('the two ports, when they are the same, are refused, unless the system chooses', async (t) => {
  t.match(problemsOf({ PORT: '3001' }), [/^ADMIN_PORT: must differ from PORT/])
  t.match(problemsOf({ PORT: '9', ADMIN_PORT: '9' }), [/^ADMIN_PORT: must differ from PORT/])
  t.strictSame(problemsOf({ PORT: '0', ADMIN_PORT: '0' }), [])
})

t.test('a secret, when given as a file, is read from it', async (t) => {
  const file = fileIn(t)
  const good = file('good', 'from-a-file\r\n\n')
  const key = file('key', 'a key of sixteen letters and more')
  const { hilos, contact, warnings } = loadConfig({
    DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
    HILOS_TOKEN_FILE: good,
    CONTACT_REF_KEY_FILE: key,
  })
  t.equal(hilos.token.reveal(), 'from-a-file')
  t.equal(contact.refKey.reveal(), 'a key of sixteen letters and more')
  t.equal(warnings.length, 1)

  const table = [
    [join(t.testdir(), 'nothing-here'), /^HILOS_TOKEN_FILE: the file cannot be read \(ENOENT\)$/],
    [file('directory', null), /^HILOS_TOKEN_FILE: the file cannot be read \(EISDIR\)$/],
    [file('empty', '\n'), /^HILOS_TOKEN_FILE: the file is empty$/],
    [file('large', 'x'.repeat(8193)), /^HILOS_TOKEN_FILE: the file is larger than 8192 bytes$/],
    [file('two-lines', 'canary\ncanary\n'), /^HILOS_TOKEN: must be the Hilos API key/],
  ] as const
  for (const [path, problem] of table) {
    const problems = problemsOf({ HILOS_TOKEN: '', HILOS_TOKEN_FILE: path })
    t.match(problems[0], problem)
    t.notMatch(problems.join('\n'), /canary|testdir|\.tap/)
  }
  for (const path of [good, join(t.testdir(), 'nothing-here')]) {
    const problems = problemsOf({ HILOS_TOKEN_FILE: path })
    t.match(problems, [/^HILOS_TOKEN: is given twice/])
    t.equal(problems.length, 1)
  }
})

/** Makes files, or folders, in a folder of the test's own. */
function fileIn(t: Test) {
  const folder = t.testdir()
  return (name: string, content: string | null) => {
    const path = join(folder, name)
    if (content === null) mkdirSync(path)
    else writeFileSync(path, content)
    return path
  }
}

t.test('the settings, when logged or inspected, show no secret', async (t) => {
  const config = loadConfig({ ...minimum, CONTACT_REF_KEY: 'ref-key-canary-0' })
  const lines: string[] = []
  createLogger('trace', { write: (line) => void lines.push(line) }).info({ config }, `${config.hilos.token}`)
  for (const text of [inspect(config, { depth: 9, showHidden: true }), JSON.stringify(config), lines.join()])
    t.notMatch(text, /canary/)
})

t.test('the budget of the cache, when it cannot be shared out evenly, is still in whole bytes', async (t) => {
  for (const given of [1_048_576, 1_048_577, 50_000_001, 100_000_007]) {
    const { cache } = loadConfig({ ...minimum, CACHE_MAX_BYTES: String(given) })
    const { documentsMaxBytes, renderingsMaxBytes, absencesMaxBytes, ownAbsencesMaxBytes } = cache
    const parts = [documentsMaxBytes, renderingsMaxBytes, absencesMaxBytes, ownAbsencesMaxBytes]
    for (const part of parts) t.ok(Number.isInteger(part))
    t.equal(
      parts.reduce((sum, part) => sum + part),
      given,
    )
  }
})

t.test('the time for stopping, when a call to Hilos may take as long, is warned about', async (t) => {
  const table = [
    ['10000', undefined, '0', true],
    ['9999', undefined, '0', false],
    [undefined, '8000', '0', true],
    [undefined, '8001', '0', false],
    [undefined, '9000', '1000', true],
    [undefined, '9001', '1000', false],
  ] as const
  for (const [HILOS_TIMEOUT_MS = '8000', SHUTDOWN_TIMEOUT_MS = '10000', DRAIN_DELAY_MS, warned] of table) {
    const { warnings } = loadConfig({ ...minimum, HILOS_TIMEOUT_MS, SHUTDOWN_TIMEOUT_MS, DRAIN_DELAY_MS })
    t.equal(
      warnings.some((warning) => warning.startsWith('SHUTDOWN_TIMEOUT_MS ')),
      warned,
    )
  }
})

t.test('the delay of a drain, when it leaves no time for stopping, is a problem', async (t) => {
  for (const [DRAIN_DELAY_MS, SHUTDOWN_TIMEOUT_MS = '10000', wrong] of [
    ['9999', undefined, false],
    ['10000', undefined, true],
    ['300000', '300000', true],
    ['300000', '300001', false],
    ['300001', '600000', true],
    ['-1', undefined, true],
  ] as const)
    t.strictSame(
      problemsOf({ ...minimum, DRAIN_DELAY_MS, SHUTDOWN_TIMEOUT_MS }).map((problem) => problem.split(':')[0]),
      wrong ? ['DRAIN_DELAY_MS'] : [],
      DRAIN_DELAY_MS,
    )
})

t.test('the memory limit, as Node names it, is taken where there is one', async (t) => {
  for (const [constrainedMemoryBytes, memoryLimitBytes] of [
    [536_870_912, 536_870_912],
    [1, 1],
    [0, null],
    // Without a limit, by cgroup version 1 and by version 2.
    [2 ** 63 - 4096, null],
    [2 ** 64, null],
  ] as const)
    t.match(loadConfig(minimum, constrainedMemoryBytes).shedding, { memoryLimitBytes })
  t.match(loadConfig(minimum).shedding, { memoryLimitBytes: null })
})

t.test('the budget of the cache, when it is more than a quarter of the memory limit, is warned about', async (t) => {
  const mebibyte = 1024 * 1024
  for (const [cacheBytes, limitBytes, warned] of [
    [undefined, 256 * mebibyte, false],
    [undefined, 256 * mebibyte - 1, true],
    [mebibyte, 4 * mebibyte, false],
    [mebibyte, 4 * mebibyte - 1, true],
    [64 * 1024 * mebibyte, 0, false],
  ] as const) {
    const { warnings } = loadConfig({ ...minimum, CACHE_MAX_BYTES: String(cacheBytes ?? '') }, limitBytes)
    t.equal(warnings.filter((warning) => warning.startsWith('CACHE_MAX_BYTES is more than')).length, warned ? 1 : 0)
    t.equal(warnings.length, warned ? 3 : 2)
  }
})
