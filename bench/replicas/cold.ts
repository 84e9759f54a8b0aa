import { formatNumber, spreadOf } from '../statistics.ts'
import { failuresIn } from './asker.ts'
import { replicaId } from './contacts.ts'
import { type Fleet, headersOf } from './fleet.ts'
import { both, type Part, type Stage } from './part.ts'

const rounds = 5
const callersEach = 1000
/** They arrive within half of the time that Hilos takes: all at once, they would be refused as too much for one core. */
const delayMs = 1500
const arrivingMs = delayMs / 2

/** A thousand callers of one cold contact at each replica. */
export const cold: Part = {
  name: 'cold',
  run: async (stage) => {
    const measured = await both(stage, { env: { HILOS_MAX_RPS: '5', CALLER_MAX_RPS: '0' } }, (fleet) =>
      rush(stage, fleet),
    )
    const calls = (each: readonly Rush[]) => each.map((round) => round.calls).join(', ')
    const most = Math.max(...measured.shared.map((round) => round.calls))
    const failed = measured.shared.reduce((sum, round) => sum + round.failed, 0)
    const slowest = (each: readonly Rush[]) =>
      `${formatNumber(spreadOf(each.map(({ lastMs }) => lastMs)).median, 0)} ms`
    return {
      promises: [
        {
          text: `calls for 3 × ${formatNumber(callersEach, 0)} callers of a cold contact, ${rounds} rounds`,
          bound: '1',
          measured: calls(measured.shared),
          alone: calls(measured.alone),
          isMet: most <= 1,
        },
        {
          text: 'of these callers, without an answer of Hilos',
          bound: '0',
          measured: String(failed),
          alone: String(measured.alone.reduce((sum, round) => sum + round.failed, 0)),
          isMet: failed === 0,
        },
        {
          text: `the last of them has its answer, Hilos taking ${delayMs} ms, median`,
          bound: '',
          measured: slowest(measured.shared),
          alone: slowest(measured.alone),
          isMet: null,
        },
      ],
      data: measured,
    }
  },
}

interface Rush {
  readonly calls: number
  readonly failed: number
  readonly failures: Record<string, number>
  readonly lastMs: number
}

async function rush({ hilos, asker, progress }: Stage, { replicas }: Fleet): Promise<Rush[]> {
  const done: Rush[] = []
  // The first round only warms up compilers and connections.
  for (let round = 0; round <= rounds; round += 1) {
    progress(`cold callers, round ${round} of ${rounds}`)
    const id = replicaId('ended', round)
    await hilos.forget()
    await hilos.rule(null, { delayMs })
    const asked = Array.from({ length: callersEach }, (_, index) =>
      replicas.map(({ urlOf }) => ({
        dueMs: (index * arrivingMs) / callersEach,
        url: urlOf(id),
        headers: headersOf(index),
      })),
    ).flat()
    const answers = await asker.ask(asked)
    const began = Math.min(...answers.map(({ sentMs }) => sentMs))
    done.push({
      calls: (await hilos.calls()).length,
      failed: answers.filter(({ status }) => status !== 200).length,
      failures: failuresIn(answers),
      lastMs: Math.max(...answers.map(({ endedMs }) => endedMs)) - began,
    })
  }
  return done.slice(1)
}
