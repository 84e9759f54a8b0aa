import t from 'tap'
import { isWider, profiles } from '../../src/access/profile.ts'

t.test('a profile is wider than those before it', async (t) => {
  t.strictSame(profiles, ['viewer', 'agent', 'full'])
  const wider = profiles.flatMap((a) => profiles.filter((b) => isWider(a, b)).map((b) => `${a} > ${b}`))
  t.strictSame(wider, ['agent > viewer', 'full > viewer', 'full > agent'])
})
