import { setTimeout as sleep } from 'node:timers/promises'
import { formatNumber } from '../statistics.ts'
import { type Answer, type Asked, failuresIn } from './asker.ts'
import { replicaId } from './contacts.ts'
import { type Fleet, headersOf } from './fleet.ts'
import { both, type Part, type Stage } from './part.ts'
import { mostInASecond } from './stamping-hilos.ts'

const callsPerSecond = 5
const demandPerSecond = 9
const pauseSeconds = 3
/** How long the others may take to hear of the pause. */
const hearingMs = 50
const shortSeconds = 6

/** More cold contacts a second than the ration permits, and then a 429 for one replica. */
export const ration: Part = {
  name: 'ration',
  run: async (stage) => {
    const env = { HILOS_MAX_RPS: String(callsPerSecond) }
    const measured = await both(stage, { env }, async (fleet) => ({
      demand: await demand(stage, fleet, 20),
      pause: await pause(stage, fleet),
    }))
    const { shared, alone } = measured
    const answersOf = ({ answeredBy, refused }: Demand) => `${answeredBy.join(' + ')} answered, ${refused} refused`
    return {
      promises: [
        {
          text: `${demandPerSecond} cold contacts a second for 20 s: most arrivals at Hilos in a second`,
          bound: `at most ${callsPerSecond}`,
          measured: String(shared.demand.mostInASecond),
          alone: String(alone.demand.mostInASecond),
          isMet: shared.demand.mostInASecond <= callsPerSecond,
        },
        {
          text: 'of these, mean a second',
          bound: 'at least 4.6',
          measured: formatNumber(shared.demand.perSecond, 2),
          alone: formatNumber(alone.demand.perSecond, 2),
          isMet: shared.demand.perSecond >= 4.6,
        },
        {
          text: 'of these, at each replica',
          bound: '',
          measured: answersOf(shared.demand),
          alone: answersOf(alone.demand),
          isMet: null,
        },
        {
          text: `a 429 for ${pauseSeconds} s at one replica: calls until it is over`,
          bound: '0',
          measured: String(shared.pause.calls),
          alone: String(alone.pause.calls),
          isMet: shared.pause.calls === 0,
        },
        {
          text: 'the first call after the 429',
          bound: `within ${pauseSeconds + 1} s`,
          measured: `${formatNumber(shared.pause.nextAfterMs, 0)} ms`,
          alone: `${formatNumber(alone.pause.nextAfterMs, 0)} ms`,
          isMet: shared.pause.nextAfterMs <= (pauseSeconds + 1) * 1000,
        },
      ],
      notes: [
        `The stamps of the fake Hilos were at most ${formatNumber(Math.max(shared.demand.lateMs, alone.demand.lateMs), 0)} ms late. ` +
          `After a 429, calls count that arrive more than ${hearingMs} ms after it was answered.`,
      ],
      data: measured,
    }
  },
}

interface Demand {
  readonly mostInASecond: number
  readonly perSecond: number
  readonly refused: number
  readonly lateMs: number
  /** How many were answered at each replica. */
  readonly answeredBy: readonly number[]
  readonly failures: Record<string, number>
  readonly arrivals: readonly number[]
}

/** Asks for cold contacts, at the replicas in turn. */
function coldRequests({ replicas }: Fleet, firstNumber: number, seconds: number): Asked[] {
  return Array.from({ length: demandPerSecond * seconds }, (_, index) => ({
    dueMs: (index * 1000) / demandPerSecond,
    url: replicas[index % replicas.length]?.urlOf(replicaId('ended', firstNumber + index)) ?? '',
    headers: headersOf(index),
  }))
}

async function demand({ hilos, asker, progress }: Stage, fleet: Fleet, seconds: number): Promise<Demand> {
  progress(`${demandPerSecond} cold contacts a second for ${seconds} s`)
  await hilos.forget()
  const answers = await asker.ask(coldRequests(fleet, 0, seconds))
  const began = answers[0]?.sentMs ?? 0
  const calls = await hilos.calls()
  const arrivals = calls.map(({ atMs }) => atMs - began)
  return {
    mostInASecond: mostInASecond(calls),
    perSecond: arrivals.filter((at) => at < seconds * 1000).length / seconds,
    refused: answers.filter(({ status }) => status !== 200).length,
    answeredBy: fleet.replicas.map(
      (_, replica) =>
        answers.filter(({ status }, index) => status === 200 && index % fleet.replicas.length === replica).length,
    ),
    failures: failuresIn(answers),
    lateMs: await hilos.lateMs(),
    arrivals,
  }
}

interface Pause {
  /** Arrivals from when all may have heard of the 429 until it is over. */
  readonly calls: number
  readonly nextAfterMs: number
  readonly failures: Record<string, number>
  readonly limited: Answer | undefined
}

async function pause({ hilos, asker, progress }: Stage, fleet: Fleet): Promise<Pause> {
  progress('a 429 at one replica')
  await sleep(2500)
  await hilos.forget()
  const limited = replicaId('ended', 9000)
  await hilos.rule(limited, { status: 429, retryAfterSeconds: pauseSeconds })
  // By then, the others wait for their turns.
  const first = { dueMs: 700, url: fleet.replicas[0]?.urlOf(limited) ?? '', headers: headersOf(0) }
  const answers = await asker.ask([...coldRequests(fleet, 10_000, shortSeconds), first])
  const calls = await hilos.calls()
  const refusedMs = calls.find(({ status }) => status === 429)?.answeredMs ?? Number.NaN
  const afterMs = calls.map(({ atMs }) => atMs - refusedMs).filter((after) => after > hearingMs)
  await hilos.rule(limited, null)
  return {
    calls: Number.isNaN(refusedMs) ? Number.NaN : afterMs.filter((after) => after < pauseSeconds * 1000).length,
    nextAfterMs: Math.min(...afterMs),
    failures: failuresIn(answers),
    limited: answers.at(-1),
  }
}
