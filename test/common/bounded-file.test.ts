import { chmodSync, closeSync, openSync, symlinkSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type FileReading, inTime, readBoundedFile } from '../../src/common/bounded-file.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'
import { createTimers } from '../harness/timers.ts'

const contentOf = async (path: string, maxBytes: number) => (await readBoundedFile(path, maxBytes)).content

t.test('a file is its text without final line breaks, or a problem that does not name its path', async (t) => {
  const folder = t.testdir({})
  const path = join(folder, 'file')
  const rows = [
    ['text', 20, { text: 'text' }],
    ['text\n', 20, { text: 'text' }],
    ['text\r\n\n', 20, { text: 'text' }],
    ['\n two\nlines ', 20, { text: '\n two\nlines ' }],
    ['ñ', 8, { text: 'ñ' }],
    ['12345678', 8, { text: '12345678' }],
    ['123456789', 8, { problem: 'the file is larger than 8 bytes' }],
    ['12345678\n', 8, { problem: 'the file is larger than 8 bytes' }],
    ['', 8, { problem: 'the file is empty' }],
    ['\r\n', 8, { problem: 'the file is empty' }],
    ['x'.repeat(1_000_000), 1_000_000, { text: 'x'.repeat(1_000_000) }],
  ] as const
  const check = async ([content, maxBytes, expected]: (typeof rows)[number]) => {
    writeFileSync(path, content)
    return difference(await contentOf(path, maxBytes), expected)
  }
  await checkRowsInTurn(t, rows, check, 'all files are read')
  t.strictSame(await readBoundedFile(`${path}-not`, 8), {
    content: { problem: 'the file cannot be read (ENOENT)' },
    seen: null,
  })
  t.strictSame(await contentOf(folder, 8), { problem: 'the file is not a regular file' })
  t.strictSame(await contentOf('/dev/zero', 8), { problem: 'the file is not a regular file' })
})

t.test('a file has the attributes of the target of a link', async (t) => {
  const folder = t.testdir({ secret: '' })
  const [path, link] = [join(folder, 'secret'), join(folder, 'link')]
  chmodSync(path, 0o640)
  symlinkSync(path, link)
  const seen = { mode: 0o640, owner: userInfo().uid, isLink: false, isPipe: false }
  t.strictSame((await readBoundedFile(path, 8)).seen, seen)
  t.strictSame((await readBoundedFile(link, 8)).seen, { ...seen, isLink: true })
})

t.test('a file is closed after it was read, and after a failure', async (t) => {
  const folder = t.testdir({ file: 'text' })
  const path = join(folder, 'file')
  const lowestFree = () => {
    const file = openSync(path, 'r')
    closeSync(file)
    return file
  }
  const before = lowestFree()
  for (const each of [path, folder]) await readBoundedFile(each, 8)
  t.equal(lowestFree(), before)
})

t.test('a reading that does not end is a problem after five seconds', async (t) => {
  const clock = createTimers()
  const { promise } = Promise.withResolvers<FileReading>()
  const reading = inTime(promise, clock)
  await clock.advance(4999)
  t.equal(await Promise.race([reading, null]), null)
  await clock.advance(1)
  t.strictSame(await reading, { content: { problem: 'the file cannot be read within 5 seconds' }, seen: null })
  const text: FileReading = { content: { text: 'early' }, seen: null }
  t.equal(await inTime(Promise.resolve(text), clock), text)
  t.strictSame(clock.armed(), [])
})
