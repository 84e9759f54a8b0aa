import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readBoundedFile } from '../../src/common/bounded-file.ts'
import { checkRows, difference } from '../harness/table.ts'

t.test('a file is its text without final line breaks, or a problem that does not name its path', async (t) => {
  const path = join(t.testdir({ folder: {} }), 'file')
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
  ] as const
  const check = ([content, maxBytes, expected]: (typeof rows)[number]) => {
    writeFileSync(path, content)
    return difference(readBoundedFile(path, maxBytes), expected)
  }
  checkRows(t, rows, check, 'all files are read')
  t.strictSame(readBoundedFile(`${path}-not`, 8), { problem: 'the file cannot be read (ENOENT)' })
  t.strictSame(readBoundedFile(join(path, '../folder'), 8), { problem: 'the file cannot be read (EISDIR)' })
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
  for (const each of [path, folder]) readBoundedFile(each, 8)
  t.equal(lowestFree(), before)
})
