import { channel } from 'node:diagnostics_channel'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { executionContact, flow, uuid } from '../../sandbox/parts.ts'
import { noCallInFlight } from '../harness/calls.ts'
import { startService } from '../harness/service.ts'
import { createTimers, settled } from '../harness/timers.ts'

const startMs = Date.parse('2026-11-22T10:05:00Z')
const [ours, theirs] = [uuid(0xf1, 1), uuid(0xf1, 2)]
const callers = [
  { name: 'everything', profile: 'full' },
  { name: 'limited', profile: 'full', flows: [ours] },
] as const

/** What can happen. Only what `limited` does and what changes at its own run may show in what `limited` receives. */
type Happening =
  | { readonly limited: 'get' | 'hold' | 'stream'; readonly of: 'visible' | 'hidden'; readonly known: boolean }
  | { readonly others: 'get' | 'stream' | 'hold' | 'leave' }
  | { readonly revise: 'visible' | 'hidden' }
  | { readonly passSeconds: number }

const histories: fc.Arbitrary<readonly Happening[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        limited: fc.constantFrom('get', 'hold', 'stream'),
        of: fc.constantFrom('hidden', 'visible'),
        known: fc.boolean(),
      }),
    },
    { weight: 4, arbitrary: fc.record({ others: fc.constantFrom('get', 'stream', 'stream', 'hold', 'leave') }) },
    { weight: 2, arbitrary: fc.record({ revise: fc.constantFrom('visible', 'hidden') }) },
    { weight: 5, arbitrary: fc.record({ passSeconds: fc.integer({ min: 1, max: 12 }) }) },
  ),
  { minLength: 10, maxLength: 30 },
)

/** So that each kind of response is compared at least once. */
const example: readonly Happening[] = [
  { others: 'stream' },
  { limited: 'stream', of: 'visible', known: false },
  { limited: 'stream', of: 'hidden', known: false },
  { passSeconds: 2 },
  { limited: 'get', of: 'visible', known: false },
  { limited: 'hold', of: 'visible', known: true },
  { limited: 'hold', of: 'hidden', known: false },
  { limited: 'get', of: 'hidden', known: false },
  { passSeconds: 4 },
  { revise: 'hidden' },
  { revise: 'visible' },
  { passSeconds: 4 },
]

interface World {
  /** Whether the run of the other flow exists. */
  readonly hiddenExists: boolean
  /** Whether other callers do anything. */
  readonly othersAct: boolean
}

/** A world with its own service, in which histories happen one after the other, each with runs of its own. */
async function startWorld(t: Test, { hiddenExists, othersAct }: World) {
  const clock = createTimers(startMs)
  const running = await startService(t, { clock, callers, notFoundStepMs: 1000, env: { CALLER_MAX_STREAMS: '100' } })
  const { service, sandbox, as } = running
  let [histories, requests] = [0, 0]

  /** Waits until nothing happens any more before the clock moves. Callers have no sockets here, so only calls take time. */
  async function quiet(): Promise<void> {
    await noCallInFlight(service, 5)
    for (let turns = 0; turns < 5; turns += 1) await settled()
  }

  /**
   * Lets a history happen. Returns all that `limited` receives, each with its time: bytes, and the header fields of responses,
   * except the date and how long the service took.
   */
  async function live(history: readonly Happening[]) {
    histories += 1
    const ids = { visible: uuid(0x5ee, histories), hidden: uuid(0x0de, histories) }
    const revisions = { visible: 0, hidden: 0 }
    const revise = (which: keyof typeof ids) => {
      revisions[which] += 1
      if (which === 'hidden' && !hiddenExists) return
      const times = { created_on: null, status_last_change_on: new Date(clock.now() - 10_000).toISOString() }
      const changes = {
        ...times,
        flow: flow({ id: which === 'visible' ? ours : theirs }),
        status_reason: `revision ${revisions[which]}`,
      }
      sandbox.documents.set(ids[which], () => executionContact(ids[which], changes))
    }
    revise('visible')
    revise('hidden')
    const received: unknown[] = []
    const tags: Record<string, string> = {}
    const leaving: Record<string, (() => void)[]> = { everything: [], limited: [] }

    /** Sends a request, and does not wait for its response. */
    function send(name: string, kind: 'get' | 'hold' | 'stream', id: string, etag: string) {
      const isLimited = name === 'limited'
      if (isLimited) requests += 1
      const number = requests
      const receive = (...facts: unknown[]) => isLimited && received.push([clock.elapsed() - startMs, number, ...facts])
      const headers = {
        ...{ ...as(name), 'x-request-id': `r${number}`, 'if-none-match': etag },
        ...(kind === 'hold' && { prefer: 'wait=7' }),
        ...(kind === 'stream' && { 'last-event-id': etag.slice(1, -1) }),
      }
      const url = `/execution-contacts/${id}${kind === 'stream' ? '/events' : ''}`
      void service.callers.inject({ url, headers, payloadAsStream: true }).then((response) => {
        const { date: _date, 'server-timing': _timing, ...rest } = response.headers
        receive(response.statusCode, rest)
        if (isLimited && typeof rest.etag === 'string') tags[id] = rest.etag
        const body = response.stream()
        body
          .on('data', (chunk) => receive(String(chunk)))
          .on('close', () => receive('closed'))
          .on('error', () => {})
        leaving[name]?.push(() => void body.destroy())
      })
    }

    // At the end, everything that is held or padded is answered.
    for (const happening of [...history, { passSeconds: 8 }] as const) {
      if ('passSeconds' in happening) {
        for (let steps = 0; steps < 2 * happening.passSeconds; steps += 1) {
          await clock.advance(500)
          await quiet()
        }
      } else if ('revise' in happening) revise(happening.revise)
      else if ('limited' in happening) {
        const id = ids[happening.of]
        send('limited', happening.limited, id, (happening.known && tags[id]) || '"none"')
      } else if (othersAct) {
        if (happening.others === 'leave') leaving.everything?.pop()?.()
        else send('everything', happening.others, ids.hidden, '"none"')
      }
      await quiet()
    }
    for (const leave of Object.values(leaving).flat()) leave()
    return received
  }

  return live
}

/** The caller has no socket here: its time limit, which Node.js keeps, means nothing. */
const withoutSocket = (message: unknown) => {
  const { request } = message as { readonly request: { readonly raw: { readonly socket: object } } }
  Object.assign(request.raw.socket, { setTimeout: () => {} })
}

t.test('no history tells a limited caller whether a run of another flow exists, is watched, or changes', async (t) => {
  const handlers = channel('tracing:fastify.request.handler:start')
  handlers.subscribe(withoutSocket)
  t.teardown(() => handlers.unsubscribe(withoutSocket))
  // Without `HILOS_MAX_RPS`, watched runs wait for no turn. With it, runs that others really watch delay the turns of all.
  const worlds: readonly World[] = [
    { hiddenExists: true, othersAct: true },
    { hiddenExists: false, othersAct: true },
    { hiddenExists: true, othersAct: false },
  ]
  const sample = [example, ...fc.sample(histories, { numRuns: 14, seed: 16 })]
  const received: string[][] = []
  for (const world of worlds)
    await t.test(JSON.stringify(world), async (t) => {
      const live = await startWorld(t, world)
      const texts: string[] = []
      for (const history of sample) texts.push(JSON.stringify(await live(history), null, 1))
      received.push(texts)
    })
  const [first = [], ...others] = received
  sample.forEach((history, index) => {
    for (const each of others) t.equal(each[index], first[index], JSON.stringify(history))
  })
  const text = first.join()
  t.notMatch(text, theirs)
  const kinds = ['text/event-stream', 'preference-applied', 'not_found', 'event: state', 'event: checked']
  for (const kind of kinds) t.match(text, kind)
})
