import t from 'tap'
import { fileFindings, fileWarnings } from '../../src/doctor/file-findings.ts'

const content = { text: 'x' }

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
  ] as const) {
    const files = { X_FILE: { content, seen: { mode, owner, isLink, isPipe: false } } }
    t.match(fileFindings(files), [{ level, subject: 'X_FILE', message }])
    t.match(fileWarnings(files), level === 'warn' ? [/^X_FILE: Group or others can /] : [])
  }
})

t.test('a file of certificates may be read by all users, and written by its owner only', async (t) => {
  const findingsOf = (mode: number) =>
    fileFindings({ REDIS_CA_FILE: { content, seen: { mode, owner: 1000, isLink: false, isPipe: false } } })
  t.match(findingsOf(0o644), [{ level: 'ok', message: /holds no secret \(mode 0644/ }])
  t.match(findingsOf(0o664), [{ level: 'warn', message: /can write/ }])
})

t.test('a pipe, and a file that cannot be opened, have no finding', async (t) => {
  const seen = { mode: 0o666, owner: 0, isLink: false, isPipe: true }
  t.strictSame(fileFindings({ X_FILE: { content, seen }, Y_FILE: { content: { problem: 'none' }, seen: null } }), [])
})
