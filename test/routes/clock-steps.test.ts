import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { startService } from '../harness/service.ts'

const hour = 3_600_000
const ids = [documentIds.deliveryConfirmation, documentIds.completed, '00000000-0000-4000-8000-00000000dead']

/** A service that has a run that goes on, one that has ended and an absence, all a second old. */
async function startWarm(t: Test) {
  const running = await startService(t)
  const { get, clock, sandbox } = running
  /** What each of the three gets, and how many calls that costs. */
  const ask = async () => {
    const before = sandbox.requests.length
    const shown: string[] = []
    for (const id of ids) {
      const { status, headers } = await get(`/execution-contacts/${id}`)
      const [age, wait] = [headers.get('age'), headers.get('retry-after')]
      shown.push(`${status} age=${age} wait=${wait} ${headers.get('cache-status')?.replace('hilos-bff; ', '')}`)
    }
    return { shown, calls: sandbox.requests.length - before }
  }
  await ask()
  clock.advance(1000)
  return { ...running, ask }
}

const warm = ['200 age=1 wait=2 hit; ttl=2', '200 age=1 wait=null hit; ttl=29', '404 age=null wait=9 hit; ttl=9']

t.test('when the wall clock is set forwards by an hour, each contact is loaded once, and all is well', async (t) => {
  const { ask, clock } = await startWarm(t)
  t.strictSame(await ask(), { shown: warm, calls: 0 })
  clock.shiftWall(hour)
  t.strictSame(await ask(), {
    shown: [
      '200 age=0 wait=60 fwd=uri-miss; ttl=60; stored',
      '200 age=0 wait=null fwd=stale; ttl=30; stored',
      '404 age=null wait=10 fwd=uri-miss; ttl=10; stored',
    ],
    calls: 3,
  })
  t.equal((await ask()).calls, 0)
})

t.test('when the wall clock is set back by an hour, each contact is loaded once, and all is well', async (t) => {
  const { ask, clock } = await startWarm(t)
  clock.shiftWall(-hour)
  t.strictSame(await ask(), {
    shown: [
      '200 age=0 wait=3 fwd=uri-miss; ttl=3; stored',
      '200 age=0 wait=null fwd=uri-miss; ttl=30; stored',
      '404 age=null wait=10 fwd=uri-miss; ttl=10; stored',
    ],
    calls: 3,
  })
  t.equal((await ask()).calls, 0)
})

t.test('a step back by less than the age of a response does not lengthen its last window', async (t) => {
  const { get, clock, store } = await startWarm(t)
  const lastMs = 30_000 + hour
  clock.advance(lastMs - 1001)
  clock.shiftWall(-hour)
  t.equal((await get(`/execution-contacts/${ids[1]}`)).headers.get('cache-status'), 'hilos-bff; hit; ttl=1')
  clock.advance(2)
  t.equal(store.peek(ids[1] ?? ''), undefined)
})

t.test('a wall clock that is set to and fro leaves durations, metrics and the log as they are', async (t) => {
  const { ask, get, clock, sandbox, service, logLines } = await startWarm(t)
  sandbox.faults.set(ids[0] ?? '', 'rateLimited')
  await ask()
  for (const ms of [hour, -2 * hour, hour]) {
    clock.shiftWall(ms)
    clock.advance(10_000)
    await ask()
  }
  const { body = '' } = (await service.operators?.inject('/metrics')) ?? {}
  t.notMatch(body, /NaN|^hilos_bff\S* -/m)
  t.match(body, /^hilos_bff_token_age_seconds 31$/m)
  for (const { durationMs, waitedMs = 0 } of logLines().filter(({ msg }) => msg === 'answered'))
    t.ok(Number(durationMs) >= 0 && Number(waitedMs) >= 0)
  // The pause of 7 s that Hilos asks for is counted on the monotonic clock.
  const pauseOf = async () => (await get(`/execution-contacts/${ids[0]}`)).headers.get('retry-after')
  clock.advance(10_000)
  t.equal(await pauseOf(), '7')
  clock.shiftWall(hour)
  clock.advance(2000)
  t.equal(await pauseOf(), '5')
})
