import t from 'tap'
import { demoSettingsOf } from '../sandbox/demo-settings.ts'
import { publicToken } from '../sandbox/hilos.ts'
import { loadConfig } from '../src/config/config.ts'

const baseUrl = 'http://127.0.0.1:1/channel/whatsapp'
const callersFile = '/made/callers.json'
const own = {
  HILOS_TOKEN: publicToken,
  HILOS_BASE_URL: baseUrl,
  CALLERS_FILE: callersFile,
  CONTACT_REF_KEY: 'sandbox contact ref key',
  DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
}
const settingsIn = (env: Record<string, string>) => demoSettingsOf(env, baseUrl, () => callersFile)

t.test('without settings the demo has its own, and an empty value is none', async (t) => {
  const chosen = Object.keys(own)
  t.strictSame(settingsIn({}), { settings: own, chosen, ignored: [] })
  const empty = Object.fromEntries([...chosen, 'HILOS_TOKEN_FILE', 'PORT'].map((name) => [name, ' ']))
  t.strictSame(settingsIn(empty), { settings: own, chosen, ignored: [] })
})

t.test('the environment wins over the defaults of the demo', async (t) => {
  const env = {
    DANGEROUSLY_ALLOW_ANONYMOUS: 'false',
    CORS_ORIGINS: 'http://localhost:5173',
    HILOS_MAX_RPS: '2',
    DOCS: 'off',
    CONTACT_REF_KEY: 'a key of our own, long enough',
    LOG_LEVEL: 'debug',
    PATH: '/bin',
  }
  const { settings, chosen } = settingsIn(env)
  t.strictSame(settings, { ...own, ...env })
  t.strictSame(chosen, ['HILOS_TOKEN', 'HILOS_BASE_URL', 'CALLERS_FILE'])
  const files = { CALLERS_FILE: { content: { text: '{"callers":[]}' }, seen: null } }
  const config = loadConfig(settings, 0, files)
  t.match(config, { corsOrigins: ['http://localhost:5173'], docs: 'off', access: { allowAnonymous: false } })
})

t.test('a callers file and a file with the key of references replace those of the demo', async (t) => {
  const env = { CALLERS_FILE: '/own/callers.json', CONTACT_REF_KEY_FILE: '/own/key' }
  const { settings } = demoSettingsOf(env, baseUrl, () => t.fail('the demo makes no callers file') as never)
  const { CONTACT_REF_KEY: _key, ...rest } = own
  t.strictSame(settings, { ...rest, ...env })
})

t.test(
  'a real token, a file with one, the address of Hilos and a real shared tier are ignored and named',
  async (t) => {
    const names = [
      ...['HILOS_TOKEN', 'HILOS_TOKEN_FILE', 'HILOS_TOKEN_NEXT', 'HILOS_TOKEN_NEXT_FILE', 'HILOS_BASE_URL'],
      ...['REDIS_URL', 'REDIS_URL_FILE', 'REDIS_CA_FILE', 'REDIS_KEY_PREFIX', 'CACHE_KEY_FILE', 'REPLICAS_EXPECTED'],
    ]
    const { settings, chosen, ignored } = settingsIn(Object.fromEntries(names.map((name) => [name, 'canary'])))
    t.strictSame(ignored, names)
    t.strictSame([settings, chosen], [own, Object.keys(own)])
  },
)

t.test('the shared tier of the demo takes the place of a real one', async (t) => {
  const tier = { REDIS_URL: 'redis://127.0.0.1:1', CACHE_KEY_FILE: '/made/cache-keys.json' }
  const { settings, chosen, ignored } = demoSettingsOf({ REDIS_URL: 'canary' }, baseUrl, () => callersFile, tier)
  t.strictSame(settings, { ...own, ...tier })
  t.strictSame(ignored, ['REDIS_URL'])
  t.strictSame(chosen.sort(), Object.keys(settings).sort())
})
