import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readBoundedFile } from '../../src/common/bounded-file.ts'

t.test(
  'a small file, when read, is its text without the line breaks at its end, or a problem without its path',
  async (t) => {
    const path = join(t.testdir(), 'file')
    const table = [
      ['text', { text: 'text' }],
      ['text\n', { text: 'text' }],
      ['text\r\n\n', { text: 'text' }],
      ['\n two\nlines ', { text: '\n two\nlines ' }],
      ['ñ', { text: 'ñ' }],
      ['12345678', { text: '12345678' }],
      ['123456789', { problem: 'the file is larger than 8 bytes' }],
      ['12345678\n', { problem: 'the file is larger than 8 bytes' }],
      ['', { problem: 'the file is empty' }],
      ['\r\n', { problem: 'the file is empty' }],
    ] as const
    for (const [content, expected] of table) {
      writeFileSync(path, content)
      t.strictSame(
        readBoundedFile(path, content.includes('text') || content.includes('two') ? 20 : 8),
        expected,
        JSON.stringify(content),
      )
    }
    t.strictSame(readBoundedFile(`${path}-not`, 8), { problem: 'the file cannot be read (ENOENT)' })
    mkdirSync(`${path}-folder`)
    t.strictSame(readBoundedFile(`${path}-folder`, 8), { problem: 'the file cannot be read (EISDIR)' })
  },
)

t.test('a small file, when read, is closed, whatever came of it', async (t) => {
  const path = join(t.testdir({ file: 'text' }), 'file')
  const lowestFree = () => {
    const file = openSync(path, 'r')
    closeSync(file)
    return file
  }
  const before = lowestFree()
  for (const each of [path, path.replace(/file$/, '')]) readBoundedFile(each, 8)
  t.equal(lowestFree(), before)
})
