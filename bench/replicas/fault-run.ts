import { setTimeout as sleep } from 'node:timers/promises'
import type { Table } from '../section.ts'
import { formatNumber } from '../statistics.ts'
import { type Answer, type Asked, failuresIn } from './asker.ts'
import { replicaId } from './contacts.ts'
import { type Fleet, headersOf, type Readiness } from './fleet.ts'
import { monotonicMs } from './monotonic.ts'
import type { Promised, Stage } from './part.ts'
import { isWithinASecondBefore, type StampedCall } from './stamping-hilos.ts'

const warmContacts = 15
const perSecond = 50
/** Each 14th request is for a cold contact: 3.6 a second. */
const coldEvery = 14
const lookMs = 100
/** From one warm contact to the next, so that the ration permits all calls for them; the second while each replica asks for itself. */
const rampMs = { shared: 250, alone: 1200 } as const
const attachedWithinMs = 3000
const callsPerSecond = 5

/** The number of a contact that the load does not ask for. */
export const unaskedContact = 900

export const faultSettings = { HILOS_MAX_RPS: String(callsPerSecond) }

/** Something that happens to the server, and how long it is watched. */
export interface Phase {
  readonly name: string
  readonly seconds: number
  /** Done at the beginning of the phase. */
  readonly begin?: () => unknown
  /** Whether the server is well from then on, so that all replicas are to be attached within three seconds. */
  readonly isWell: boolean
}

/** What was seen during a phase. */
export interface PhaseSeen {
  readonly name: string
  readonly hits: { readonly all: number; readonly failed: number; readonly slowestMs: number; readonly p99Ms: number }
  readonly cold: { readonly answered: number; readonly refused: number; readonly slowestMs: number }
  readonly mostInASecond: number
  readonly notReady: number
  /** When which replicas were attached, whenever that changed. */
  readonly attachments: readonly string[]
  /** When the first replica was detached, in milliseconds since the beginning; null if none was. */
  readonly detachedAfterMs: number | null
  /** When all were attached for the rest of the phase; null if they were not at its end. */
  readonly attachedAfterMs: number | null
  readonly isWell: boolean
  /** The calls: when, about which contact, and by how much the stamp may be late. */
  readonly arrived: readonly string[]
  readonly failures: { readonly hits: Record<string, number>; readonly cold: Record<string, number> }
}

/** Watches replicas under a constant load while things happen to the server of their tier. The load has no gap between phases. */
export async function watchFaults(
  stage: Stage,
  fleet: Fleet,
  phases: readonly Phase[],
  ramp: keyof typeof rampMs = 'shared',
): Promise<PhaseSeen[]> {
  const { hilos, asker, progress } = stage
  await warm(stage, fleet, rampMs[ramp])
  await hilos.forget()
  const totalMs = phases.reduce((sum, { seconds }) => sum + seconds * 1000, 0)
  const readiness: Readiness[][] = []
  let isOver = false
  const looking = (async () => {
    while (!isOver) {
      readiness.push(await Promise.all(fleet.replicas.map((replica) => replica.readiness())))
      await sleep(lookMs)
    }
  })()
  const asked = requests(fleet, totalMs)
  const asking = asker.ask(asked)
  const begins: number[] = []
  for (const { name, seconds, begin } of phases) {
    progress(`${name}, ${seconds} s`)
    begins.push(monotonicMs())
    const over = sleep(seconds * 1000)
    await begin?.()
    await over
  }
  const answers = await asking
  isOver = true
  await looking
  const calls = await hilos.calls()
  return phases.map((phase, index) => {
    const [fromMs, toMs] = [begins[index] ?? 0, begins[index + 1] ?? Number.POSITIVE_INFINITY]
    const isWithin = (at: number) => at >= fromMs && at < toMs
    const own = answers
      .map((answer, each) => ({ answer, isCold: isCold(each) }))
      .filter(({ answer }) => isWithin(answer.sentMs))
    const looks = readiness.filter(([first]) => isWithin(first?.atMs ?? 0))
    const within = calls.filter(({ atMs }) => isWithin(atMs))
    const arrived = within.map(
      ({ id, atMs, lateMs }) =>
        `${Math.round(atMs - fromMs)} ${Number.parseInt(id.slice(24), 16)} ${Math.round(lateMs)}`,
    )
    return {
      arrived,
      ...phaseSeen(phase, own, calls, fromMs, toMs),
      ...attachmentIn(looks, fromMs),
      isWell: phase.isWell,
    }
  })
}

const isCold = (index: number) => index % coldEvery === coldEvery - 1

function requests({ replicas }: Fleet, totalMs: number): Asked[] {
  return Array.from({ length: (totalMs / 1000) * perSecond }, (_, index) => ({
    dueMs: (index * 1000) / perSecond,
    url:
      replicas[index % replicas.length]?.urlOf(
        replicaId('ended', isCold(index) ? 1000 + index : index % warmContacts),
      ) ?? '',
    headers: headersOf(index),
  }))
}

/** Makes the hits hits at each replica, as far as possible without Hilos's ration. */
async function warm({ asker, progress }: Stage, { replicas }: Fleet, betweenMs: number): Promise<void> {
  progress('warming up')
  const asked = (gapMs: number) =>
    Array.from({ length: warmContacts }, (_, contact) =>
      replicas.map(({ urlOf }, replica) => ({
        dueMs: (contact * replicas.length + replica) * gapMs,
        url: urlOf(replicaId('ended', contact)),
        headers: headersOf(contact),
      })),
    ).flat()
  await asker.ask(asked(betweenMs / replicas.length))
  const again = await asker.ask(asked(2))
  const cold = again.filter(({ status }) => status !== 200).length
  if (cold > 0) throw new Error(`${cold} requests were not made warm: ${JSON.stringify(failuresIn(again))}`)
}

function phaseSeen(
  { name }: Phase,
  own: readonly { readonly answer: Answer; readonly isCold: boolean }[],
  calls: readonly StampedCall[],
  fromMs: number,
  toMs: number,
) {
  const hits = own.filter((each) => !each.isCold).map(({ answer }) => answer)
  const cold = own.filter((each) => each.isCold).map(({ answer }) => answer)
  const hitMs = hits.map(({ endedMs, sentMs }) => endedMs - sentMs).sort((a, b) => a - b)
  return {
    name,
    failures: { hits: failuresIn(hits), cold: failuresIn(cold) },
    hits: {
      all: hits.length,
      failed: hits.filter(({ status }) => status !== 200).length,
      slowestMs: hitMs.at(-1) ?? Number.NaN,
      p99Ms: hitMs[Math.floor(hitMs.length * 0.99)] ?? Number.NaN,
    },
    cold: {
      answered: cold.filter(({ status }) => status === 200).length,
      refused: cold.filter(({ status }) => status !== 200).length,
      slowestMs: Math.max(...cold.map(({ endedMs, sentMs }) => endedMs - sentMs)),
    },
    // A second that ends in this phase may have begun in the one before.
    mostInASecond: Math.max(
      0,
      ...calls
        .filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
        .map((last) => calls.filter((call) => isWithinASecondBefore(call, last)).length),
    ),
  }
}

function attachmentIn(looks: readonly (readonly Readiness[])[], fromMs: number) {
  const isAttached = (look: readonly Readiness[]) => look.every((each) => each.isAttached === true)
  const sinceMs = (look: readonly Readiness[] | undefined) => (look?.[0] ? look[0].atMs - fromMs : null)
  const lastDetached = looks.findLastIndex((look) => !isAttached(look))
  return {
    notReady: looks.flat().filter(({ status }) => status !== 200).length,
    attachments: looks
      .map((look) => ({ at: sinceMs(look), state: look.map((each) => Number(each.isAttached)).join('') }))
      .filter(({ state }, index, all) => state !== all[index - 1]?.state)
      .map(({ at, state }) => `${Math.round(at ?? 0)} ${state}`),
    detachedAfterMs: sinceMs(looks.find((look) => !isAttached(look))),
    attachedAfterMs: lastDetached < 0 ? 0 : sinceMs(looks[lastDetached + 1]),
  }
}

const ms = (value: number | null, none = '-') => (value === null ? none : `${formatNumber(value, 0)}`)

export function faultTable(title: string, seen: readonly PhaseSeen[]): Table {
  return {
    columns: [
      title,
      'hits',
      'failed',
      'p99 ms',
      'slowest ms',
      'cold: answered',
      'refused',
      'slowest ms',
      'most calls in a second',
      'not ready',
      'detached after ms',
      'all attached after ms',
    ],
    rows: seen.map(({ name, hits, cold, mostInASecond, notReady, detachedAfterMs, attachedAfterMs }) => [
      name,
      formatNumber(hits.all, 0),
      formatNumber(hits.failed, 0),
      formatNumber(hits.p99Ms, 1),
      formatNumber(hits.slowestMs, 0),
      formatNumber(cold.answered, 0),
      formatNumber(cold.refused, 0),
      formatNumber(cold.slowestMs, 0),
      formatNumber(mostInASecond, 0),
      formatNumber(notReady, 0),
      ms(detachedAfterMs),
      ms(attachedAfterMs, 'not'),
    ]),
  }
}

/** The promises that hold during all faults. */
export function faultPromises(what: string, seen: readonly PhaseSeen[]): Promised[] {
  const sum = (value: (phase: PhaseSeen) => number) => seen.reduce((total, phase) => total + value(phase), 0)
  const most = (value: (phase: PhaseSeen) => number) => Math.max(...seen.map(value))
  const [well] = seen
  const failed = sum(({ hits }) => hits.failed)
  const slower = most(({ hits }) => hits.slowestMs) - (well?.hits.slowestMs ?? Number.NaN)
  const slowerCold = most(({ cold }) => cold.slowestMs)
  const calls = most(({ mostInASecond }) => mostInASecond)
  const notReady = sum((phase) => phase.notReady)
  const attached = seen
    .filter(({ isWell }) => isWell)
    .map(({ attachedAfterMs }) => attachedAfterMs ?? Number.POSITIVE_INFINITY)
  const row = (text: string, bound: string, measured: string, isMet: boolean | null): Promised => ({
    text: `${what}: ${text}`,
    bound,
    measured,
    alone: '',
    isMet,
  })
  return [
    row(
      'failed hits',
      '0',
      `${failed} of ${formatNumber(
        sum(({ hits }) => hits.all),
        0,
      )}`,
      failed === 0,
    ),
    row(
      'the slowest hit, beyond the slowest while all is well',
      'at most 250 ms',
      `${formatNumber(Math.max(0, slower), 0)} ms`,
      slower <= 250,
    ),
    row('the slowest cold contact', '', `${formatNumber(slowerCold, 0)} ms`, null),
    row('most calls in a second', `at most ${callsPerSecond}`, String(calls), calls <= callsPerSecond),
    row('`/readyz` not 200', '0', String(notReady), notReady === 0),
    row(
      'all attached after the server is well again',
      'within 3 s',
      attached
        .map((each) => (Number.isFinite(each) ? `${formatNumber(each, 0)}` : 'not'))
        .join(', ')
        .concat(' ms'),
      attached.every((each) => each <= attachedWithinMs),
    ),
  ]
}
