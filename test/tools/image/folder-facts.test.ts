import { chmodSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { bytesOf, digestOf, heaviestOf } from '../../../tools/image/folder-facts.ts'

t.test(
  'a folder’s digest, when a path, a content, a mode or a link changes, is another; a time does not matter',
  async (t) => {
    const folder = t.testdir({ a: { 'b.txt': 'b' }, 'c.txt': 'c' })
    const file = join(folder, 'c.txt')
    const first = digestOf(folder)
    utimesSync(file, 1, 1)
    t.equal(digestOf(folder), first)
    const seen = new Set([first])
    const changes = [
      () => writeFileSync(file, 'd'),
      () => chmodSync(file, 0o600),
      () => writeFileSync(join(folder, 'a/new.txt'), ''),
      () => symlinkSync('b.txt', join(folder, 'a/link')),
      () => {
        unlinkSync(join(folder, 'a/link'))
        symlinkSync('new.txt', join(folder, 'a/link'))
      },
    ]
    for (const change of changes) {
      change()
      seen.add(digestOf(folder))
    }
    t.equal(seen.size, 1 + changes.length)
  },
)

t.test(
  'a folder’s weight, is that of its files; the heaviest packages come first, scoped ones by their own name',
  async (t) => {
    const modules = t.testdir({
      '.package-lock.json': '123456789',
      light: { 'index.js': '1' },
      '@scope': { heavy: { 'index.js': '12345', deep: { 'more.js': '678' } }, middle: { 'index.js': '123' } },
    })
    t.equal(bytesOf(modules), 9 + 1 + 8 + 3)
    t.strictSame(heaviestOf(modules, 2), [
      { name: '@scope/heavy', bytes: 8 },
      { name: '@scope/middle', bytes: 3 },
    ])
  },
)
