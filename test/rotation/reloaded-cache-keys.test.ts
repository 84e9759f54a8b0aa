import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Secret } from '../../src/common/secret.ts'
import { parseCacheKeys } from '../../src/config/cache-keys.ts'
import { createReloadedCacheKeys } from '../../src/rotation/reloaded-cache-keys.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { until } from '../harness/service.ts'

const keyOf = (byte: number) => Buffer.alloc(32, byte).toString('base64')
const textOf = (names: number, ...ids: number[]) =>
  JSON.stringify({ names: keyOf(names), seal: ids.map((id) => ({ id, key: keyOf(id + 100) })) })

/** Keys in a file, or from a pipe. */
function start(t: Test, isPipe = false) {
  const path = join(t.testdir(), 'cache-keys.json')
  const text = textOf(0, 1)
  writeFileSync(path, text)
  const file = parseCacheKeys(text)
  if ('problems' in file) throw new Error(file.problems.join())
  const lines: Record<string, unknown>[] = []
  const changes: string[] = []
  const reloaded = createReloadedCacheKeys(
    { cacheKeys: file.keys, cacheKeyFile: isPipe ? null : path, cacheKeyText: new Secret(text) },
    createLogger('info', { write: (line) => void lines.push(JSON.parse(line)) }),
    { fileChanged: (setting, outcome) => changes.push(`${setting} ${outcome}`) },
  )
  t.teardown(reloaded.close)
  /** Writes the file, and waits until it was read. */
  const put = async (changed: string) => {
    const before = lines.length
    writeFileSync(path, changed)
    await until(() => lines.length > before)
    return lines.at(-1)
  }
  return { ...reloaded, put, lines, changes }
}

t.test('the keys that seal are those in the file, and stay while it is invalid', async (t) => {
  const { keys, status, put, lines, changes } = start(t)
  const first = keys()
  t.strictSame(status(), { ok: true, ids: [1], problems: [] })
  t.match(await put(textOf(0, 2, 1)), { setting: 'CACHE_KEY_FILE', keyIds: [2, 1], msg: 'watched file reloaded' })
  t.not(keys(), first, 'another object, for what is kept of it')
  t.strictSame(status(), { ok: true, ids: [2, 1], problems: [] })

  t.match(await put('{"names":"secret-canary","seal":[]}'), { level: 50, problems: [/^names: must be/, /^seal: must/] })
  t.match(status(), { ok: false, ids: [2, 1], problems: [/^names: must be/, /^seal: must/] })
  const needsRestart =
    'names: must stay the same while the service runs, and a change of it needs a restart of all replicas'
  t.match(await put(textOf(9, 3)), { level: 50, problems: [needsRestart] })
  t.strictSame(status(), { ok: false, ids: [2, 1], problems: [needsRestart] })
  t.match(await put('x'.repeat(8193)), { problems: ['the file is larger than 8192 bytes'] })

  await put(textOf(0, 3))
  t.strictSame(status(), { ok: true, ids: [3], problems: [] })
  t.equal(keys().names.reveal(), keyOf(0))
  t.strictSame(changes.slice(0, 2), ['CACHE_KEY_FILE used', 'CACHE_KEY_FILE refused'])
  for (const byte of [0, 9, 101, 102, 103]) t.notMatch(JSON.stringify(lines), keyOf(byte))
  t.notMatch(JSON.stringify(lines), 'canary')
})

t.test('a pipe is not watched', async (t) => {
  const { keys, status, close } = start(t, true)
  t.strictSame([status(), keys().seal.length], [{ ok: true, ids: [1], problems: [] }, 1])
  close()
})
