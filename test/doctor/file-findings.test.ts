import { chmodSync, symlinkSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { fileFinding, seenFile } from '../../src/doctor/file-findings.ts'

t.test('the mode, the owner and a link decide whether a file is safe', async (t) => {
  for (const [mode, owner, isLink, level, message] of [
    [0o600, 1000, false, 'ok', /mode 0600/],
    [0o400, 0, true, 'ok', /mode 0400/],
    [0o640, 1000, false, 'warn', /can read.*mode 0640\): chmod 600/],
    [0o604, 1000, false, 'warn', /can read.*mode 0604/],
    [0o644, 0, false, 'warn', /can read.*mode 0644/],
    [0o644, 1000, true, 'warn', /can read.*mode 0644/],
    [0o444, 1000, false, 'warn', /can read.*mode 0444/],
    [0o644, 0, true, 'note', /mode 0644.*mounted into a container/],
    [0o440, 0, true, 'note', /mode 0440.*mounted into a container/],
    [0o444, 0, false, 'note', /mode 0444.*mounted into a container/],
    [0o620, 1000, false, 'warn', /can write.*mode 0620\): chmod 600/],
    [0o602, 0, true, 'warn', /can write.*mode 0602/],
    [0o666, 0, true, 'warn', /can write.*mode 0666/],
  ] as const)
    t.match(fileFinding('X_FILE', { mode, owner, isLink }), { level, subject: 'X_FILE', message })
})

t.test('a link has the mode of its target', async (t) => {
  const folder = t.testdir()
  const [path, link] = [join(folder, 'secret'), join(folder, 'link')]
  writeFileSync(path, 'x')
  chmodSync(path, 0o640)
  symlinkSync(path, link)
  const owner = userInfo().uid
  t.strictSame(seenFile(path), { mode: 0o640, owner, isLink: false })
  t.strictSame(seenFile(link), { mode: 0o640, owner, isLink: true })
  t.equal(seenFile(join(folder, 'none')), null)
})
