import { spawnSync } from 'node:child_process'
import { EventEmitter } from 'node:events'
import {
  type FSWatcher,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  watch as watchWithNode,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { execPath } from 'node:process'
import t, { type Test } from 'tap'
import type { FileContent } from '../../src/common/bounded-file.ts'
import { type WatchedFileOptions, watchFile } from '../../src/rotation/watched-file.ts'
import { createTimers, settled } from '../harness/timers.ts'

const settleMs = 100
const pollMs = 10_000

/** A watched file that says `one`, on a clock of the test's, with an eye on the signs of its folder. */
async function arrange(t: Test, options: Partial<WatchedFileOptions> = {}, path = join(t.testdir(), 'folder', 'file')) {
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true })
  writeFileSync(path, 'one')
  const timers = createTimers()
  const told: FileContent[] = []
  let signs = 0
  const { close } = watchFile(path, (content) => told.push(content), {
    maxBytes: 64,
    schedule: timers.schedule,
    watch: (folder, options, onSign) =>
      watchWithNode(folder, options, () => {
        signs += 1
        onSign()
      }),
    ...options,
  })
  t.teardown(close)
  await timers.advance(settleMs)
  t.strictSame(told, [], 'what it says at first is known')
  /** What is told of a change, by the sign of it. */
  const toldOf = async (change: () => void): Promise<FileContent[]> => {
    const before = signs
    change()
    while (signs === before) await settled()
    await timers.advance(settleMs)
    return told.splice(0)
  }
  const toldByPoll = async (): Promise<FileContent[]> => {
    await timers.advance(pollMs + settleMs)
    return told.splice(0)
  }
  return { ...timers, folder, path, told, close, toldOf, toldByPoll, signs: () => signs }
}

/** A watcher that sees nothing, but may fail. */
const blindWatcher = () => Object.assign(new EventEmitter(), { close: () => {} }) as unknown as FSWatcher

t.test('a file, when written in place, is told, and the same text again is not', async (t) => {
  const { toldOf, path } = await arrange(t)
  t.strictSame(await toldOf(() => writeFileSync(path, 'two\n')), [{ text: 'two' }])
  t.strictSame(await toldOf(() => writeFileSync(path, 'two\n')), [])
  t.strictSame(await toldOf(() => writeFileSync(path, 'two')), [], 'nor one that differs in its line break only')
  t.strictSame(await toldOf(() => writeFileSync(path, 'one')), [{ text: 'one' }])
})

t.test('a file, when another is renamed over it, is told', async (t) => {
  const { toldOf, path, folder } = await arrange(t)
  for (const text of ['two', 'three']) {
    const change = () => {
      writeFileSync(join(folder, 'new'), text)
      renameSync(join(folder, 'new'), path)
    }
    t.strictSame(await toldOf(change), [{ text }])
  }
})

t.test('a file, when it is a link into a folder that is swapped as Kubernetes does it, is told', async (t) => {
  const folder = join(t.testdir(), 'mounted')
  const swap = (version: string, text: string) => {
    mkdirSync(join(folder, version), { recursive: true })
    writeFileSync(join(folder, version, 'token'), text)
    symlinkSync(version, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  swap('..2026_11_22_1', 'one')
  symlinkSync(join('..data', 'token'), join(folder, 'token'))
  const { toldOf } = await arrange(t, {}, join(folder, 'token'))
  for (const index of [2, 3]) {
    t.strictSame(await toldOf(() => swap(`..2026_11_22_${index}`, `text ${index}`)), [{ text: `text ${index}` }])
    rmSync(join(folder, `..2026_11_22_${index - 1}`), { recursive: true })
  }
})

t.test('a file, when it cannot be used, is told as a problem once, and again when it can', async (t) => {
  const { toldOf, path } = await arrange(t)
  const gone = { problem: 'the file cannot be read (ENOENT)' }
  t.strictSame(await toldOf(() => rmSync(path)), [gone])
  t.strictSame(
    await toldOf(() => writeFileSync(path, 'one')),
    [{ text: 'one' }],
    'the text of before, since it was gone',
  )
  t.strictSame(await toldOf(() => writeFileSync(path, '\n')), [{ problem: 'the file is empty' }])
  t.strictSame(await toldOf(() => writeFileSync(path, '')), [])
  t.strictSame(await toldOf(() => writeFileSync(path, 'x'.repeat(65))), [
    { problem: 'the file is larger than 64 bytes' },
  ])
  t.strictSame(await toldOf(() => writeFileSync(path, 'x'.repeat(64))), [{ text: 'x'.repeat(64) }])
  rmSync(path)
  t.strictSame(await toldOf(() => mkdirSync(path)), [{ problem: 'the file cannot be read (EISDIR)' }])
})

t.test('writes, when they come in a burst, are one change, read when it has settled', async (t) => {
  const { path, told, signs, advance, armed } = await arrange(t)
  for (const text of ['', 't', 'tw', 'two', 'three']) {
    const before = signs()
    writeFileSync(path, text)
    while (signs() === before) await settled()
    await advance(10)
  }
  t.strictSame(armed().sort(), [50, pollMs - settleMs - 50], 'further signs do not put it off')
  await advance(49)
  t.strictSame(told, [])
  await advance(1)
  t.strictSame(told, [{ text: 'three' }])
})

t.test('a folder, when something else in it changes, has the file read and nothing told', async (t) => {
  const { toldOf, folder } = await arrange(t)
  t.strictSame(await toldOf(() => writeFileSync(join(folder, 'other'), 'two')), [])
})

t.test(
  'a folder, when removed, is a problem, and when it is back, is found by the poll and watched again',
  async (t) => {
    const { toldOf, toldByPoll, folder, path } = await arrange(t)
    t.strictSame(await toldOf(() => rmSync(folder, { recursive: true })), [
      { problem: 'the file cannot be read (ENOENT)' },
    ])
    t.strictSame(await toldByPoll(), [])
    mkdirSync(folder)
    writeFileSync(path, 'two')
    t.strictSame(await toldByPoll(), [{ text: 'two' }])
    t.strictSame(await toldOf(() => writeFileSync(path, 'three')), [{ text: 'three' }])
  },
)

t.test('a folder, when another of its name takes its place, is watched from the next poll on', async (t) => {
  const { toldOf, toldByPoll, folder, path } = await arrange(t)
  await toldOf(() => renameSync(folder, `${folder}-before`))
  mkdirSync(folder)
  writeFileSync(path, 'two')
  t.strictSame(await toldByPoll(), [{ text: 'two' }])
  t.strictSame(await toldOf(() => writeFileSync(path, 'three')), [{ text: 'three' }])
})

t.test('a folder, when it cannot be watched or gives no sign, has its file read every ten seconds', async (t) => {
  const failing = blindWatcher()
  const watches: Record<string, () => FSWatcher> = {
    'no sign': blindWatcher,
    'too many watches': () => {
      throw Object.assign(new Error('no'), { code: 'ENOSPC' })
    },
    'an error later': () => failing,
  }
  for (const [name, watch] of Object.entries(watches)) {
    const { path, told, advance } = await arrange(t, { watch })
    writeFileSync(path, 'two')
    if (name === 'an error later') failing.emit('error', new Error('ENOSPC'))
    await advance(pollMs - 1)
    t.strictSame(told, [], name)
    await advance(1)
    t.strictSame(told, [{ text: 'two' }], name)
    writeFileSync(path, 'three')
    await advance(pollMs)
    t.strictSame(told.slice(1), [{ text: 'three' }], `${name}, again`)
  }
})

t.test('a watch, when it is made anew, replaces the one before', async (t) => {
  let open = 0
  const watch = () => {
    open += 1
    return Object.assign(new EventEmitter(), {
      close: () => {
        open -= 1
      },
    }) as unknown as FSWatcher
  }
  const { advance, close } = await arrange(t, { watch })
  await advance(3 * pollMs)
  t.equal(open, 1)
  close()
  t.equal(open, 0)
})

t.test('what is known, when the file says something else by the time it is watched, is told', async (t) => {
  for (const [known, expected] of [
    [{ text: 'one' }, []],
    [{ text: 'zero' }, [{ text: 'one' }]],
    [{ problem: 'the file is empty' }, [{ text: 'one' }]],
    [{ problem: 'one' }, [{ text: 'one' }]],
  ] as const) {
    const path = join(t.testdir(), 'file')
    writeFileSync(path, 'one')
    const { schedule, advance } = createTimers()
    const told: FileContent[] = []
    const { close } = watchFile(path, (content) => told.push(content), { maxBytes: 64, known, schedule })
    await advance(settleMs)
    t.strictSame(told, expected)
    close()
  }
})

t.test('a watched file, when closed, is told no more, whatever was about to be', async (t) => {
  const { path, told, close, advance, armed, signs } = await arrange(t)
  writeFileSync(path, 'two')
  while (signs() === 0) await settled()
  close()
  t.strictSame(armed(), [])
  const before = signs()
  writeFileSync(path, 'three')
  await advance(3 * pollMs)
  t.strictSame(told, [])
  t.equal(signs(), before)
})

t.test('a watched file, when watched by Node itself with timers of its own, is told', async (t) => {
  const path = join(t.testdir(), 'file')
  writeFileSync(path, 'one')
  // What is tested does not keep the test alive either.
  const alive = setInterval(() => {}, 1000)
  const { promise, resolve } = Promise.withResolvers<FileContent>()
  const { close } = watchFile(path, resolve, { maxBytes: 64 })
  writeFileSync(path, 'two')
  t.strictSame(await promise, { text: 'two' })
  close()
  clearInterval(alive)
})

t.test('a watched file keeps no process alive', async (t) => {
  const path = join(t.testdir(), 'file')
  writeFileSync(path, 'one')
  const module = new URL('../../src/rotation/watched-file.ts', import.meta.url)
  const script = `import { watchFile } from '${module}'; watchFile('${path}', () => {}, { maxBytes: 64 })`
  const { status, stderr } = spawnSync(execPath, ['--input-type=module', '-e', script], {
    timeout: 20_000,
    encoding: 'utf8',
  })
  t.strictSame([status, stderr], [0, ''])
})
