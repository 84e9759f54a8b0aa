import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { uuid } from '../../sandbox/parts.ts'
import { startService } from '../harness/service.ts'
import { settled } from '../harness/timers.ts'

const urlOf = (origin: string, id: string) => `${origin}/execution-contacts/${id}`
const polls = 12

/**
 * Makes twelve polls with the real `fetch`, three seconds apart, and returns how many calls Hilos got.
 * @param initOf what a poll adds to `fetch(url)`, given the ETag of the poll before
 */
async function callsFor(t: Test, id: string, initOf: (etag: string) => RequestInit): Promise<number> {
  const { origin, sandbox, clock, store } = await startService(t)
  let etag = ''
  for (let poll = 0; poll < polls; poll += 1) {
    const reply = await fetch(urlOf(origin, id), initOf(etag))
    await reply.arrayBuffer()
    t.ok([200, 304].includes(reply.status))
    etag = reply.headers.get('etag') ?? ''
    // A refresh in the background ends before the clock moves.
    if (/revalidating/.test(reply.headers.get('cache-status') ?? ''))
      while (store.peek(id)?.generatedAt !== clock.now()) await settled()
    clock.advance(3000)
  }
  return sandbox.requests.length
}

const conditions = {
  'if-none-match': (etag: string) => ({ 'if-none-match': etag || '"none"' }),
  'if-match': () => ({ 'if-match': '*' }),
  'if-modified-since': () => ({ 'if-modified-since': 'Sun, 22 Nov 2026 10:00:00 GMT' }),
}

// The second run is fresh for half a minute, the first for five seconds.
for (const [id, plainCalls] of [
  [documentIds.ready, 6],
  [documentIds.completed, 2],
] as const) {
  t.test(`a conditional poll of ${id} costs Hilos as much as a plain one, whatever fetch adds`, async (t) => {
    t.equal(await callsFor(t, id, () => ({})), plainCalls)
    for (const [name, headersOf] of Object.entries(conditions)) {
      const calls = await callsFor(t, id, (etag) => ({ headers: headersOf(etag) }))
      t.equal(calls, plainCalls, name)
    }
    const revalidating = (etag: string): RequestInit => ({
      cache: 'no-cache',
      headers: { 'if-none-match': etag || '""' },
    })
    t.equal(await callsFor(t, id, revalidating), plainCalls, 'as a browser revalidates')
  })

  t.test(`a poll of ${id} that wishes for a reload costs Hilos at most one call more in ten seconds`, async (t) => {
    for (const cache of ['no-store', 'reload', 'no-cache'] as const) {
      const calls = await callsFor(t, id, () => ({ cache }))
      t.ok(calls <= plainCalls + Math.ceil((polls * 3) / 10), `${cache}: ${calls} calls`)
    }
  })
}

t.test('one caller gets six reloads a minute, of all runs together', async (t) => {
  const callers = [
    { name: 'eager', profile: 'full' },
    { name: 'patient', profile: 'full' },
  ] as const
  const { get, as, clock } = await startService(t, { callers })
  const reload = async (name: string, number: number) => {
    const reply = await get(`/execution-contacts/${uuid(0xabc, number)}`, { ...as(name), 'cache-control': 'no-cache' })
    return reply.headers.get('cache-status')?.replace('hilos-bff; ', '')
  }
  for (let number = 0; number < 8; number += 1) t.equal(await reload('eager', number), 'fwd=uri-miss; ttl=10; stored')
  clock.advance(1)
  for (let number = 0; number < 6; number += 1) t.equal(await reload('eager', number), 'fwd=request; ttl=10; stored')
  t.equal(await reload('eager', 6), 'hit; ttl=10; detail=reload-denied')
  t.equal(await reload('patient', 6), 'fwd=request; ttl=10; stored')
  clock.advance(1)
  t.equal(await reload('patient', 5), 'hit; ttl=10; detail=reload-denied', 'another caller has reloaded it')
})
