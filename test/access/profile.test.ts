import t from 'tap'
import { isWider, profiles } from '../../src/access/profile.ts'

t.test('a profile, beside another, is wider when it shows more, and not when it is the same', async (t) => {
  t.strictSame(profiles, ['viewer', 'agent', 'full'])
  const wider = profiles.flatMap((a) => profiles.filter((b) => isWider(a, b)).map((b) => `${a} > ${b}`))
  t.strictSame(wider, ['agent > viewer', 'full > viewer', 'full > agent'])
})
