import t from 'tap'
import { loadConfig } from '../../src/config/config.ts'
import type { SharedTierConfig } from '../../src/config/shared-tier.ts'
import type { Level } from '../../src/doctor/findings.ts'
import { settingsFindings } from '../../src/doctor/settings-findings.ts'

const minimum = {
  HILOS_TOKEN: 'token-canary',
  DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
  CONTACT_REF_KEY: 'contact-ref-key-canary',
}

/** The files that the settings name are empty, or missing if that is their path. */
function findingsOf(env: Record<string, string>, memoryLimitBytes = 0) {
  const contentOf = (path: string) => ({
    problem: path === '/missing' ? 'the file cannot be read (ENOENT)' : 'the file is empty',
  })
  const files = Object.fromEntries(
    Object.entries(env).map(([name, path]) => [name, { content: contentOf(path), seen: null }]),
  )
  return settingsFindings(loadConfig({ ...minimum, ...env }, memoryLimitBytes, files))
}

t.test('the minimum of settings has one finding per subject, and a warning only about what is unsafe', async (t) => {
  const findings = findingsOf({})
  const levels = findings.map(({ level, subject }) => `${level} ${subject}`)
  t.strictSame(levels, [
    'ok HOST, PORT',
    'ok ADMIN_HOST, ADMIN_PORT',
    'note ADMIN_TOKEN',
    'ok CORS_ORIGINS',
    'ok CALLER_MAX_RPS',
    'ok HILOS_MAX_RPS',
    'note CACHE_MAX_BYTES',
    'ok CACHE_LIFETIME_SCALE',
    'ok DISCLOSURE_LOG_LEVEL',
    'warn DANGEROUSLY_ALLOW_ANONYMOUS',
  ])
  t.notMatch(JSON.stringify(findings), 'canary')
})

t.test('each setting has one finding, by its value', async (t) => {
  type Row = readonly [Record<string, string>, string, Level, RegExp]
  const listeners = ['HOST, PORT', 'ADMIN_HOST, ADMIN_PORT'] as const
  const table: readonly Row[] = [
    ...['localhost', '127.0.0.1', '127.1.2.3', '::1'].flatMap((host): readonly Row[] => [
      [{ HOST: host }, listeners[0], 'ok', /only this machine/],
      [{ ADMIN_HOST: host }, listeners[1], 'ok', /only this machine/],
    ]),
    ...['0.0.0.0', '::', '10.0.0.1', 'localhost.example', '127.example'].flatMap((host): readonly Row[] => [
      [{ HOST: host }, listeners[0], 'note', /plain HTTP: TLS must end in front/],
      [{ ADMIN_HOST: host }, listeners[1], 'warn', /without authentication/],
    ]),
    [{ HOST: '::', PORT: '8080' }, listeners[0], 'note', / \[::\]:8080 /],
    [{ PORT: '0' }, listeners[0], 'ok', / 127\.0\.0\.1 on any free port,/],
    [{ ADMIN_PORT: '0' }, listeners[1], 'note', /is off/],
    [{}, 'ADMIN_TOKEN', 'note', /every program on this machine can delete/],
    [{ ADMIN_TOKEN: 'admin-token-canary' }, 'ADMIN_TOKEN', 'ok', /^Deleting from the cache needs this token/],
    [{ ADMIN_HOST: '0.0.0.0' }, 'ADMIN_TOKEN', 'warn', /cannot delete from the cache/],
    [{ ADMIN_TOKEN_FILE: '/empty' }, 'ADMIN_TOKEN_FILE', 'warn', /is empty/],
    [{ CALLER_MAX_RPS: '0' }, 'CALLER_MAX_RPS', 'warn', /not limited/],
    [{ CALLER_MAX_RPS: '1' }, 'CALLER_MAX_RPS', 'ok', / 1 requests/],
    [{ HILOS_MAX_RPS: '0' }, 'HILOS_MAX_RPS', 'warn', /not limited/],
    [{ HILOS_MAX_RPS: '0.5' }, 'HILOS_MAX_RPS', 'ok', /0\.5 calls/],
    [{ CACHE_LIFETIME_SCALE: '0' }, 'CACHE_LIFETIME_SCALE', 'warn', /Nothing is cached/],
    [{ CACHE_LIFETIME_SCALE: '1' }, 'CACHE_LIFETIME_SCALE', 'ok', /for their usual/],
    [{ CACHE_LIFETIME_SCALE: '0.5' }, 'CACHE_LIFETIME_SCALE', 'ok', /for 0\.5 times their usual/],
    ...['info', 'debug', 'trace'].map(
      (level): Row => [{ DISCLOSURE_LOG_LEVEL: level }, 'DISCLOSURE_LOG_LEVEL', 'ok', /^The log records/],
    ),
    ...['warn', 'error', 'fatal', 'silent'].map(
      (level): Row => [{ DISCLOSURE_LOG_LEVEL: level }, 'DISCLOSURE_LOG_LEVEL', 'warn', /no record is kept/],
    ),
    [{ CORS_ORIGINS: 'https://a.example' }, 'CORS_ORIGINS', 'ok', /^Pages on one other origin can call/],
    [{ HILOS_BASE_URL: 'http://localhost:1/x' }, 'HILOS_BASE_URL', 'warn', /unencrypted/],
    [{ CONTACT_REF_KEY: '' }, 'CONTACT_REF_KEY', 'warn', /is not set/],
    [{ CACHE_KEY_FILE: '/missing' }, 'CACHE_KEY_FILE', 'warn', /is not used/],
    [{ ADMIN_TOKEN_FILE: '/missing' }, 'ADMIN_TOKEN_FILE', 'note', /^The file is missing, as it may be\.$/],
    [{ HILOS_TOKEN_NEXT_FILE: '/missing' }, 'HILOS_TOKEN_NEXT_FILE', 'note', /is missing/],
    [{ HILOS_TOKEN_NEXT_FILE: '/empty' }, 'HILOS_TOKEN_NEXT_FILE', 'warn', /is empty/],
  ]
  for (const [env, subject, level, message] of table) {
    const found = findingsOf(env).filter((finding) => finding.subject === subject)
    t.match(found, [{ level, message }], JSON.stringify(env))
    t.equal(found.length, 1)
  }
})

t.test('a remark about the file of the deletion token is the only finding about that token', async (t) => {
  for (const path of ['/empty', '/missing'])
    t.notOk(findingsOf({ ADMIN_TOKEN_FILE: path }).some(({ subject }) => subject === 'ADMIN_TOKEN'))
})

t.test('the limit of calls to Hilos is that of each replica, or of all that share a tier', async (t) => {
  const config = loadConfig({ ...minimum, HILOS_MAX_RPS: '7' }, 0, {})
  for (const [sharedTier, message] of [
    [null, /at most 7 calls a second from each replica\.$/],
    [{} as SharedTierConfig, /at most 7 calls a second from all replicas together\.$/],
  ] as const) {
    const found = settingsFindings({ ...config, sharedTier }).filter(({ subject }) => subject === 'HILOS_MAX_RPS')
    t.match(found, [{ level: 'ok', message }])
  }
})

t.test('each origin with plain http that is not this machine is a warning', async (t) => {
  const safe = 'https://a.example,http://localhost:8080,http://127.0.0.1,http://[::1]:1'
  const findings = findingsOf({ CORS_ORIGINS: `http://b.example,${safe},http://c.example` })
  const found = findings.filter(({ subject }) => subject === 'CORS_ORIGINS')
  t.match(found, [
    { level: 'ok', message: /6 other origins/ },
    { level: 'warn', message: /http:\/\/b\.example / },
    { level: 'warn', message: /http:\/\/c\.example / },
  ])
  t.equal(found.length, 3)
})

t.test('there is one finding about the cache and the memory limit', async (t) => {
  for (const [memoryLimitBytes, level, message] of [
    [0, 'note', /^Nothing limits/],
    [512 * 1024 ** 2, 'ok', / the 512 MiB /],
    [128 * 1024 ** 2, 'warn', /more than a quarter of the memory limit/],
  ] as const) {
    const found = findingsOf({}, memoryLimitBytes).filter(({ subject }) => subject === 'CACHE_MAX_BYTES')
    t.match(found, [{ level, message }])
    t.equal(found.length, 1)
  }
})
