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
import t, { type Test } from 'tap'
import { type FileContent, type FileReading, readBoundedFile } from '../../src/common/bounded-file.ts'
import { type WatchedFileOptions, watchFile } from '../../src/rotation/watched-file.ts'
import { createTimers, settled } from '../harness/timers.ts'

const settleMs = 300
const pollMs = 10_000
const gone = { problem: 'the file cannot be read (ENOENT)' }

/** Watches a file with the content `one`, by a clock that the test moves. It counts the events of the folder. */
async function start(t: Test, options: Partial<WatchedFileOptions> = {}, path = join(t.testdir(), 'folder', 'file')) {
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true })
  writeFileSync(path, 'one')
  const readings = new Set<Promise<FileReading>>()
  const clock = createTimers(0, async () => {
    await settled()
    while (readings.size > 0) await Promise.all(readings).then(settled)
  })
  const changes: FileContent[] = []
  let events = 0
  const { close } = watchFile(path, (content) => changes.push(content), {
    maxBytes: 64,
    known: 'one',
    clock,
    watch: (folder, options, onEvent) =>
      watchWithNode(folder, options, () => {
        events += 1
        onEvent()
      }),
    read: (path, maxBytes) => {
      const reading = readBoundedFile(path, maxBytes)
      readings.add(reading)
      return reading.finally(() => readings.delete(reading))
    },
    ...options,
  })
  t.teardown(close)
  await clock.advance(2 * settleMs)
  /** Makes a change, and waits for the event that it causes. */
  const untilEvent = async (change: () => void) => {
    const before = events
    change()
    while (events === before) await settled()
  }
  const changesAfter = async (ms: number): Promise<FileContent[]> => {
    await clock.advance(ms)
    return changes.splice(0)
  }
  /** The changes that are reported because of an event. */
  const changesBy = async (change: () => void): Promise<FileContent[]> => {
    await untilEvent(change)
    return changesAfter(2 * settleMs)
  }
  const changesByPoll = () => changesAfter(pollMs + 2 * settleMs)
  return { ...clock, folder, path, changes, close, untilEvent, changesAfter, changesBy, changesByPoll }
}

/** A watcher without events. */
const createWatcher = (close = () => {}) => Object.assign(new EventEmitter(), { close }) as unknown as FSWatcher

t.test('a change of the text is reported, and the same text is not', async (t) => {
  const { changes, changesBy, path, folder } = await start(t)
  t.strictSame(changes, [], 'the first content is known')
  t.strictSame(await changesBy(() => writeFileSync(path, 'two\n')), [{ text: 'two' }])
  t.strictSame(await changesBy(() => writeFileSync(path, 'two\n')), [])
  t.strictSame(await changesBy(() => writeFileSync(path, 'two')), [], 'only the line break differs')
  t.strictSame(await changesBy(() => writeFileSync(path, 'one')), [{ text: 'one' }])
  t.strictSame(await changesBy(() => writeFileSync(join(folder, 'other'), 'two')), [], 'another file in the folder')
  t.strictSame(await changesBy(() => renameSync(join(folder, 'other'), path)), [{ text: 'two' }])
  t.strictSame(
    await changesBy(() => writeFileSync(path, 'three')),
    [{ text: 'three' }],
    'in the file that took its place',
  )
})

t.test('a file behind a link is reported when Kubernetes replaces the folder', async (t) => {
  const folder = join(t.testdir(), 'mounted')
  const swap = (version: string, text: string) => {
    mkdirSync(join(folder, version), { recursive: true })
    writeFileSync(join(folder, version, 'token'), text)
    symlinkSync(version, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  swap('..2026_11_22_1', 'one')
  symlinkSync(join('..data', 'token'), join(folder, 'token'))
  const { changesBy } = await start(t, {}, join(folder, 'token'))
  for (const index of [2, 3]) {
    t.strictSame(await changesBy(() => swap(`..2026_11_22_${index}`, `text ${index}`)), [{ text: `text ${index}` }])
    rmSync(join(folder, `..2026_11_22_${index - 1}`), { recursive: true })
  }
})

t.test('an unusable file is reported as a problem once, and its text when it is usable again', async (t) => {
  const { changesBy, path } = await start(t)
  const write = (text: string) => changesBy(() => writeFileSync(path, text))
  t.strictSame(await changesBy(() => rmSync(path)), [gone])
  t.strictSame(await write('one'), [{ text: 'one' }], 'also when it is the text from before')
  t.strictSame(await write('\n'), [{ problem: 'the file is empty' }])
  t.strictSame(await write(''), [])
  t.strictSame(await write('x'.repeat(65)), [{ problem: 'the file is larger than 64 bytes' }])
  t.strictSame(await write('x'.repeat(64)), [{ text: 'x'.repeat(64) }])
  rmSync(path)
  t.strictSame(await changesBy(() => mkdirSync(path)), [{ problem: 'the file is not a regular file' }])
})

t.test('several writes are one change, which later events do not delay', async (t) => {
  const { path, untilEvent, changesAfter, armed } = await start(t)
  for (const text of ['', 't', 'tw', 'two', 'three']) {
    await untilEvent(() => writeFileSync(path, text))
    t.strictSame(await changesAfter(10), [])
  }
  t.strictSame(armed().sort(), [settleMs - 50, pollMs - 2 * settleMs - 50])
  t.strictSame(await changesAfter(2 * settleMs - 51), [])
  t.strictSame(await changesAfter(1), [{ text: 'three' }])
})

t.test('a content is reported only when two readings agree, so no half of one is', async (t) => {
  const { path, untilEvent, changesAfter } = await start(t)
  await untilEvent(() => writeFileSync(path, ''))
  for (const text of ['h', 'ha', 'hal', 'half', 'half and the rest']) {
    t.strictSame(await changesAfter(settleMs), [], text)
    writeFileSync(path, text)
  }
  t.strictSame(await changesAfter(settleMs), [])
  t.strictSame(await changesAfter(settleMs), [{ text: 'half and the rest' }])
  await untilEvent(() => writeFileSync(path, 'two'))
  await changesAfter(settleMs)
  await untilEvent(() => writeFileSync(path, 'half and the rest'))
  t.strictSame(await changesAfter(2 * settleMs), [], 'it is as before again')
  await untilEvent(() => writeFileSync(path, 'two'))
  t.strictSame(await changesAfter(settleMs), [], 'the reading of before does not count')
  t.strictSame(await changesAfter(settleMs), [{ text: 'two' }])
})

t.test(
  'while a reading hangs no other begins and no folder is watched, and it is a problem after a while',
  async (t) => {
    const folder = t.testdir()
    const path = join(folder, 'file')
    writeFileSync(path, 'one')
    const clock = createTimers()
    const changes: FileContent[] = []
    let [hanging, watches]: [PromiseWithResolvers<FileReading>[], number] = [[], 0]
    let isStalled = true
    const read = (): Promise<FileReading> => {
      const reading = Promise.withResolvers<FileReading>()
      if (isStalled) hanging.push(reading)
      else reading.resolve({ content: { text: 'two' }, seen: null })
      return reading.promise
    }
    const watch = () => {
      watches += 1
      return createWatcher()
    }
    const { close } = watchFile(path, (content) => changes.push(content), {
      maxBytes: 64,
      known: 'one',
      clock,
      read,
      watch,
    })
    t.teardown(close)
    await clock.advance(4999)
    t.strictSame([changes, watches, hanging.length], [[], 0, 1])
    await clock.advance(2 * pollMs)
    t.strictSame(changes, [{ problem: 'the file cannot be read within 5 seconds' }])
    t.strictSame([watches, hanging.length], [0, 1])
    isStalled = false
    hanging[0]?.resolve({ content: { text: 'one' }, seen: null })
    await clock.advance(2 * pollMs)
    t.strictSame(changes.slice(1), [{ text: 'two' }])
    t.ok(watches > 0)
  },
)

t.test('a folder that is removed or replaced is watched again from the next poll on', async (t) => {
  for (const [remove, reported] of [
    [(folder: string) => rmSync(folder, { recursive: true }), [gone]],
    [(folder: string) => renameSync(folder, `${folder}-before`), null],
  ] as const) {
    const { changesBy, changesByPoll, folder, path } = await start(t)
    const changes = await changesBy(() => remove(folder))
    if (reported) t.strictSame([...changes, ...(await changesByPoll())], reported)
    mkdirSync(folder)
    writeFileSync(path, 'two')
    t.strictSame(await changesByPoll(), [{ text: 'two' }])
    t.strictSame(await changesBy(() => writeFileSync(path, 'three')), [{ text: 'three' }])
  }
})

t.test('without events, or without a watch, the file is read every ten seconds, with a new watch', async (t) => {
  let open = 0
  const failing = createWatcher()
  const watches: Readonly<Record<string, () => FSWatcher>> = {
    'no event': () => {
      open += 1
      return createWatcher(() => {
        open -= 1
      })
    },
    'too many watches': () => {
      throw Object.assign(new Error('no'), { code: 'ENOSPC' })
    },
    'an error later': () => failing,
  }
  for (const [name, watch] of Object.entries(watches)) {
    const { path, changesAfter, close } = await start(t, { watch })
    writeFileSync(path, 'two')
    if (name === 'an error later') failing.emit('error', new Error('ENOSPC'))
    t.strictSame(await changesAfter(pollMs - settleMs - 1), [], name)
    t.strictSame(await changesAfter(1), [{ text: 'two' }], name)
    writeFileSync(path, 'three')
    t.strictSame(await changesAfter(pollMs), [{ text: 'three' }], name)
    t.equal(open, name === 'no event' ? 1 : 0)
    close()
    t.equal(open, 0)
  }
})

t.test(
  'a content that differs from the known one is reported soon, and without one a text is and no problem',
  async (t) => {
    t.strictSame((await start(t, { known: 'one' })).changes, [])
    t.strictSame((await start(t, { known: 'zero' })).changes, [{ text: 'one' }])
    const watched = await start(t, { known: undefined })
    t.strictSame(watched.changes, [{ text: 'one' }])
    const absent = await start(t, { known: undefined, read: async () => ({ content: gone, seen: null }) })
    t.strictSame(absent.changes, [])
  },
)

t.test('nothing is reported after the end', async (t) => {
  const { path, untilEvent, changesAfter, close, armed } = await start(t)
  await untilEvent(() => writeFileSync(path, 'two'))
  close()
  t.strictSame(armed(), [])
  writeFileSync(path, 'three')
  t.strictSame(await changesAfter(3 * pollMs), [])
})

t.test('a file is watched with the clock of the machine by default', async (t) => {
  const path = join(t.testdir(), 'file')
  writeFileSync(path, 'one')
  // The watch does not keep the test alive.
  const alive = setInterval(() => {}, 1000)
  const { promise, resolve } = Promise.withResolvers<FileContent>()
  const { close } = watchFile(path, resolve, { maxBytes: 64, known: 'one' })
  writeFileSync(path, 'two')
  t.strictSame(await promise, { text: 'two' })
  close()
  clearInterval(alive)
})
