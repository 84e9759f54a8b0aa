import { formatNumber, quantileOf } from '../statistics.ts'
import { replicaId } from './contacts.ts'
import { type Fleet, headersOf } from './fleet.ts'
import { both, type Part, type Stage } from './part.ts'

const rounds = 15
const lookMs = 10
const lookForMs = 2600
const boundMs = 2500

/** A contact that has gone at Hilos, as one replica is told: when do the others say so? */
export const absence: Part = {
  name: 'absence',
  run: async (stage) => {
    const measured = await both(stage, {}, (fleet) => absences(stage, fleet))
    const text = (found: readonly number[]) => {
      const sorted = [...found].sort((a, b) => a - b)
      const ms = (share: number) => {
        const value = quantileOf(sorted, share)
        return Number.isFinite(value) ? `${formatNumber(value, 0)} ms` : `never in ${lookForMs} ms`
      }
      return `${ms(0.5)}, ${ms(1)}`
    }
    return {
      promises: [
        {
          text: `a 404 seen by one replica is a 404 at all, ${rounds} rounds: median and slowest`,
          bound: `at most ${formatNumber(boundMs, 0)} ms`,
          measured: text(measured.shared),
          alone: text(measured.alone),
          isMet: Math.max(...measured.shared) <= boundMs,
        },
      ],
      notes: [
        `A 404 counts from Hilos's answer to the request after which the other two answered nothing else; they are asked every ${lookMs} ms.`,
      ],
      data: measured,
    }
  },
}

/** From Hilos's answer to the first 404 of the other replicas after which they said nothing else; infinity without one. */
async function absences({ hilos, asker, progress }: Stage, { replicas }: Fleet): Promise<number[]> {
  const found: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    progress(`absence, round ${round + 1} of ${rounds}`)
    const id = replicaId('ended', round)
    const headers = headersOf(round)
    await asker.ask(replicas.map(({ urlOf }) => ({ dueMs: 0, url: urlOf(id), headers })))
    await hilos.rule(id, { status: 404 })
    const reload = {
      dueMs: 0,
      url: replicas[round % 3]?.urlOf(id) ?? '',
      headers: { ...headers, 'cache-control': 'no-cache' },
    }
    const others = replicas.filter((_, index) => index !== round % 3)
    // A replica that never says so is given up after a short look in later rounds: it will not do so then either.
    const looks = Math.floor((found.some((each) => each === Number.POSITIVE_INFINITY) ? 300 : lookForMs) / lookMs)
    const looked = Array.from({ length: looks }, (_, look) =>
      others.map(({ urlOf }) => ({ dueMs: look * lookMs, url: urlOf(id), headers: headersOf(look) })),
    ).flat()
    const answers = (await asker.ask([reload, ...looked])).slice(1)
    const goneMs = (await hilos.calls()).find((call) => call.id === id && call.status === 404)?.answeredMs ?? Number.NaN
    const lastOther = answers.filter(({ status }) => status !== 404).map(({ sentMs }) => sentMs - goneMs)
    const last = Math.max(0, ...lastOther)
    found.push(answers.at(-1)?.status === 404 ? last : Number.POSITIVE_INFINITY)
  }
  return found
}
