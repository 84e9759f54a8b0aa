import t from 'tap'
import { createAdminTokenCheck } from '../../src/access/admin-token.ts'
import { Secret } from '../../src/common/secret.ts'
import { checkRows } from '../harness/table.ts'

const token = 'sixteen.letters/and=='
const check = createAdminTokenCheck(new Secret(token))

t.test('only the token itself is accepted, after the scheme in any case', async (t) => {
  for (const scheme of ['Bearer', 'bearer', 'BEARER ']) t.doesNotThrow(() => check(`${scheme} ${token}`))
  const rows = [
    [undefined, 'no credential'],
    [token, 'another scheme'],
    [`Basic ${token}`, 'another scheme'],
    ['Bearer', 'malformed'],
    ['Bearer ', 'malformed'],
    [`Bearer ${token} ${token}`, 'malformed'],
    [`Bearer ${token}=`, 'unknown key'],
    [`Bearer ${token.slice(0, -1)}`, 'unknown key'],
    [`Bearer ${token.toUpperCase()}`, 'unknown key'],
    ['Bearer x', 'unknown key'],
  ] as const
  checkRows(
    t,
    rows,
    ([authorization, reason]) => {
      try {
        check(authorization)
        return 'accepted'
      } catch (error) {
        const { code, facts } = error as { code: string; facts: { reason: string } }
        return code === 'unauthenticated' && facts.reason === reason ? null : `${code}: ${facts.reason}`
      }
    },
    'each other value is refused with a challenge',
  )
})
