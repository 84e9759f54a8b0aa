import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { executionContact, flow, uuid } from '../../sandbox/parts.ts'
import { type Arrangement, type Reply, startService } from '../harness/service.ts'

const [ours, theirs] = [uuid(0xf1, 1), uuid(0xf1, 2)]
const inside = documentIds.deliveryConfirmation
const outside = uuid(0x0de, 1)
const nowhere = uuid(0x0de, 2)
const pathOf = (id: string) => `/execution-contacts/${id}`

/** A Hilos with a run of another flow, and a caller who may know of one flow only. */
async function start(t: Test, arrangement: Arrangement = {}) {
  const running = await startService(t, {
    callers: [
      { name: 'everything', profile: 'full' },
      { name: 'limited', profile: 'full', flows: [ours.toUpperCase()] },
    ],
    ...arrangement,
  })
  running.sandbox.documents.set(outside, () => executionContact(outside, { flow: flow({ id: theirs }) }))
  const { get, as, sandbox } = running
  const ask = (name: string, id: string, headers: Record<string, string> = {}, method = 'GET') =>
    get(pathOf(id), { ...as(name), 'x-request-id': 'r', ...headers }, method)
  /** How often Hilos was asked about the id. */
  const callsFor = (id: string) => sandbox.requests.filter(({ url }) => url.endsWith(id)).length
  return { ...running, ask, callsFor }
}

/** All that a caller gets, but for the date and what names the id. */
function seen({ status, headers, text }: Reply, id: string): string {
  const shown = [...headers].filter(([name]) => name !== 'date')
  return `${status} ${JSON.stringify(shown)} ${text}`.replaceAll(id, 'ID')
}

t.test('a run of the caller’s flow, is there; one of another flow, is not there, byte for byte', async (t) => {
  const { ask } = await start(t)
  t.equal((await ask('limited', inside)).status, 200)
  const concealed = await ask('limited', outside)
  t.match([concealed.status, concealed.json().code], [404, 'execution_contact_not_found'])
  t.equal(seen(concealed, outside), seen(await ask('limited', nowhere), nowhere))
  for (const header of ['cache-status', 'server-timing', 'age', 'etag']) t.equal(concealed.headers.get(header), null)
  t.equal((await ask('everything', outside)).status, 200)
  const told = (await ask('everything', nowhere)).headers
  t.equal(told.get('cache-status'), 'hilos-bff; fwd=uri-miss; ttl=10; stored', 'who may know of all is told all')
})

t.test('what is concealed, whatever is asked and whenever, is never told from what is nowhere', async (t) => {
  const { ask, clock, callsFor, sandbox } = await start(t)
  const etag = (await ask('everything', outside)).headers.get('etag') ?? ''
  const questions: readonly (readonly [Record<string, string>, string?])[] = [
    [{}],
    [{}, 'HEAD'],
    [{ 'if-none-match': etag }],
    [{ 'if-none-match': '*' }],
    [{ 'cache-control': 'only-if-cached' }],
    [{ 'cache-control': 'no-cache' }],
    [{ 'cache-control': 'max-age=5' }],
    [{ 'accept-encoding': 'br' }],
  ]
  const before = callsFor(outside)
  for (const [stepMs, fault] of [
    [0, null],
    [2000, null],
    [9000, null],
    [0, null],
    [11_000, 'broken'],
    [3000, 'broken'],
    [3000, null],
    [50_000, null],
    [1000, 'unauthorized'],
    [3000, null],
  ] as const) {
    clock.advance(stepMs)
    for (const id of [outside, nowhere]) {
      if (fault) sandbox.faults.set(id, fault)
      else sandbox.faults.delete(id)
    }
    if (!fault) await ask('everything', outside, { 'cache-control': 'no-cache' })
    for (const [headers, method] of questions) {
      const [a, b] = [await ask('limited', outside, headers, method), await ask('limited', nowhere, headers, method)]
      t.equal(seen(a, outside), seen(b, nowhere), `${stepMs} ${fault} ${JSON.stringify(headers)}`)
      t.equal(a.headers.get('etag'), null)
    }
  }
  t.ok(callsFor(nowhere) > 5 && callsFor(outside) - before >= callsFor(nowhere), 'Hilos is asked about both')
})

t.test(
  'what is concealed, whatever the lifetime scale, is so for as long as what is nowhere is not there',
  async (t) => {
    for (const scale of ['0', '0.5', '2']) {
      const { ask, clock } = await start(t, { env: { CACHE_LIFETIME_SCALE: scale } })
      for (const stepMs of [0, 4999, 10_000]) {
        clock.advance(stepMs)
        const [a, b] = [await ask('limited', outside), await ask('limited', nowhere)]
        t.equal(seen(a, outside), seen(b, nowhere), `${scale} ${stepMs}`)
      }
    }
  },
)

t.test('what is concealed, is not told by the time it takes, even if Hilos takes longer for it', async (t) => {
  const arrangement = { pause: (ms: number) => sleep(ms), elapsed: () => performance.now() }
  const { ask, clock, sandbox } = await start(t, arrangement)
  sandbox.documents.set(outside, () => sleep(300, executionContact(outside, { flow: flow({ id: theirs }) })))
  const timed = async (id: string) => {
    const began = performance.now()
    await ask('limited', id)
    return performance.now() - began
  }
  for (const order of [
    [outside, nowhere],
    [nowhere, outside],
  ] as const) {
    clock.advance(11_000)
    const [first, second] = [await timed(order[0]), await timed(order[1])]
    t.ok(first > 990 && Math.abs(first - second) < 150, `asked for: ${first} and ${second} ms`)
    const [again, too] = [await timed(order[0]), await timed(order[1])]
    t.ok(again < 150 && too < 150, `remembered: ${again} and ${too} ms`)
  }
})

t.test('rights, when the callers’ file changes, are those of the next request', async (t) => {
  const { ask, callersFile } = await start(t)
  t.equal((await ask('limited', outside)).status, 404)
  const file = readFileSync(callersFile, 'utf8')
  writeFileSync(callersFile, file.replace(ours.toUpperCase(), theirs))
  while ((await ask('limited', inside)).status === 200) {}
  t.equal((await ask('limited', inside)).status, 404)
  t.equal((await ask('limited', outside)).status, 200)
})
