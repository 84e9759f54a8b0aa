import t from 'tap'
import { uuid } from '../../sandbox/parts.ts'
import { startService, until } from '../harness/service.ts'
import { createTimers } from '../harness/timers.ts'

t.test('one caller with random ids takes neither the places nor the slots of another', async (t) => {
  const clock = createTimers(Date.parse('2026-11-22T10:05:00Z'))
  const { get, as } = await startService(t, {
    clock,
    env: { HILOS_MAX_RPS: '5' },
    callers: [
      { name: 'attacker', profile: 'viewer' },
      { name: 'other', profile: 'viewer' },
    ],
  })
  const statuses = { attacker: [] as number[], other: [] as number[] }
  let asked = 0
  const ask = (name: keyof typeof statuses, count: number) =>
    Array.from({ length: count }, async () => {
      asked += 1
      statuses[name].push((await get(`/execution-contacts/${uuid(0xfa, asked)}`, as(name))).status)
    })
  const replies = ask('attacker', 30)
  await until(() => statuses.attacker.length === 20)
  t.equal(statuses.attacker.filter((status) => status === 503).length, 15, 'five had a slot, and ten have a place')
  replies.push(...ask('other', 11))
  await until(() => statuses.other.length === 1)
  t.strictSame(statuses.other, [503], 'and so have ten of the other caller')
  const answered = () => statuses.attacker.length + statuses.other.length
  // The first slots come back after 1050 ms. Then a call gets one every 210 ms.
  for (const waitMs of [1050, ...Array(9).fill(210)]) {
    const before = answered()
    await clock.advance(waitMs)
    await until(() => answered() > before)
  }
  t.equal(statuses.other.filter((status) => status === 404).length, 5, 'half of the slots')
  await clock.advance(2000)
  await Promise.all(replies)
})
