import { setTimeout as sleep } from 'node:timers/promises'
import { formatNumber, quantileOf } from '../statistics.ts'
import type { Answer } from './asker.ts'
import { replicaId } from './contacts.ts'
import { type Fleet, headersOf } from './fleet.ts'
import { monotonicMs } from './monotonic.ts'
import { both, type Part, type Stage } from './part.ts'

const rounds = 50
const lateRounds = 20
const slowMs = 400

/** `DELETE` at one replica, and what all answer after it. */
export const purge: Part = {
  name: 'purge',
  run: async (stage) => {
    const measured = await both(stage, {}, async (fleet) => ({
      purges: await purges(stage, fleet),
      late: await lateWrites(stage, fleet),
    }))
    const { shared, alone } = measured
    const olderThan204 = ({ older, not204 }: Purges) =>
      `${older} of ${rounds}${not204 > 0 ? `, ${not204} not 204` : ''}`
    const times = ({ deletedInMs }: Purges) => {
      const sorted = [...deletedInMs].sort((a, b) => a - b)
      return `${formatNumber(quantileOf(sorted, 0.5), 1)}, ${formatNumber(quantileOf(sorted, 1), 0)} ms`
    }
    return {
      promises: [
        {
          text: `\`DELETE\` was answered 204, then each replica is asked at once: rounds with an older answer`,
          bound: `0 of ${rounds}`,
          measured: olderThan204(shared.purges),
          alone: olderThan204(alone.purges),
          isMet: shared.purges.older === 0 && shared.purges.not204 === 0,
        },
        {
          text: 'the `DELETE`, median and slowest',
          bound: '',
          measured: times(shared.purges),
          alone: times(alone.purges),
          isMet: null,
        },
        {
          text: '`DELETE` at one replica while another is loading: rounds in which the load was answered from later',
          bound: `0 of ${lateRounds}`,
          measured: `${shared.late.landed} of ${lateRounds}`,
          alone: `${alone.late.landed} of ${lateRounds}`,
          isMet: shared.late.landed === 0,
        },
      ],
      data: measured,
    }
  },
}

interface Purges {
  readonly older: number
  readonly not204: number
  readonly deletedInMs: readonly number[]
}

const askAll = ({ asker }: Stage, { replicas }: Fleet, id: string, caller: number): Promise<readonly Answer[]> =>
  asker.ask(replicas.map(({ urlOf }) => ({ dueMs: 0, url: urlOf(id), headers: headersOf(caller) })))
const newestOf = (answers: readonly Answer[]) => Math.max(...answers.map(({ revision }) => revision ?? 0))

async function purges(stage: Stage, fleet: Fleet): Promise<Purges> {
  stage.progress(`${rounds} purges`)
  const id = replicaId('ended', 1)
  let [older, not204] = [0, 0]
  const deletedInMs: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const before = newestOf(await askAll(stage, fleet, id, round))
    const began = monotonicMs()
    const status = await fleet.replicas[round % fleet.replicas.length]?.purge(id)
    deletedInMs.push(monotonicMs() - began)
    if (status !== 204) not204 += 1
    const after = await askAll(stage, fleet, id, round)
    if (after.some(({ revision }) => revision === null || revision <= before)) older += 1
  }
  return { older, not204, deletedInMs }
}

/** A load is under way at one replica while another one is told to forget; its document must not be used afterwards. */
async function lateWrites(stage: Stage, fleet: Fleet): Promise<{ readonly landed: number }> {
  const { hilos, asker, progress } = stage
  progress(`${lateRounds} purges while the contact is being loaded`)
  let landed = 0
  for (let round = 0; round < lateRounds; round += 1) {
    const id = replicaId('ended', 100 + round)
    const [loading, purging] = [fleet.replicas[round % 3], fleet.replicas[(round + 1) % 3]]
    await hilos.rule(id, { delayMs: slowMs })
    const load = asker.ask([{ dueMs: 0, url: loading?.urlOf(id) ?? '', headers: headersOf(round) }])
    await sleep(slowMs / 2)
    await purging?.purge(id)
    await hilos.rule(id, null)
    const late = newestOf(await load)
    const after = [...(await askAll(stage, fleet, id, round)), ...(await askAll(stage, fleet, id, round))]
    if (after.some(({ revision }) => revision === null || revision <= late)) landed += 1
  }
  return { landed }
}
