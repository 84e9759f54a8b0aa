import { cpuMicros } from '../cpu.ts'
import { runClosedLoop } from '../load/load.ts'
import { formatNumber, formatSpread, quantileOf, ratiosOf } from '../statistics.ts'
import type { Answer } from './asker.ts'
import { replicaId } from './contacts.ts'
import { type Fleet, headersOf, type Replica } from './fleet.ts'
import { type Part, type Stage, sharing, withFleet } from './part.ts'

const rounds = 12
const contacts = 200
const gapMs = 15

/** What a hit costs with the tier and without, and what an answer out of the tier costs beside a call. */
export const cost: Part = {
  name: 'cost',
  run: (stage) =>
    sharing(stage, {}, (fleet) =>
      withFleet(stage, { redisUrl: null }, async (alone) => {
        const latencies = await missing(stage, fleet, alone)
        const hits = await hitting(stage, fleet, alone)
        const cpu = ratiosOf(hits.shared.cpu, hits.alone.cpu)
        const rate = ratiosOf(hits.shared.rate, hits.alone.rate)
        return {
          promises: [
            {
              text: 'CPU of a hit in the first tier, with the shared tier by without',
              bound: 'at most 1.05, noise',
              measured: formatSpread(cpu, 2),
              alone: '1',
              isMet: cpu.median <= 1.05,
            },
            {
              text: 'hits a second, the same way',
              bound: '',
              measured: formatSpread(rate, 2),
              alone: '1',
              isMet: null,
            },
          ],
          tables: [
            {
              columns: ['One request at a time', 'p50 ms', 'p99 ms'],
              rows: Object.entries(latencies).map(([name, sorted]) => [
                name,
                formatNumber(quantileOf(sorted, 0.5), 1),
                formatNumber(quantileOf(sorted, 0.99), 1),
              ]),
            },
          ],
          data: { hits, latencies },
        }
      }),
    ),
}

interface Hits {
  readonly cpu: number[]
  readonly rate: number[]
}

async function hitting(
  { cores, progress }: Stage,
  shared: Fleet,
  alone: Fleet,
): Promise<{ shared: Hits; alone: Hits }> {
  const found = { shared: { cpu: [], rate: [] } as Hits, alone: { cpu: [], rate: [] } as Hits }
  const load = async (replica: Replica | undefined, seconds: number) => {
    if (!replica) throw new Error('there is no replica')
    const plan = { origin: replica.origin, from: 0, keys: 1, headers: headersOf(0), connections: 32 }
    const before = cpuMicros([replica.pid])
    const result = await runClosedLoop(plan, seconds, cores.load)
    return { cpu: (cpuMicros([replica.pid]) - before) / result.requests, rate: result.requests / result.seconds }
  }
  await load(shared.replicas[0], 1)
  await load(alone.replicas[0], 1)
  for (let round = 0; round < rounds; round += 1) {
    progress(`hits, round ${round + 1} of ${rounds}`)
    const order = round % 2 === 0 ? (['shared', 'alone'] as const) : (['alone', 'shared'] as const)
    for (const which of order) {
      const { cpu, rate } = await load((which === 'shared' ? shared : alone).replicas[0], 1)
      found[which].cpu.push(cpu)
      found[which].rate.push(rate)
    }
  }
  return found
}

async function missing({ asker, progress }: Stage, shared: Fleet, alone: Fleet): Promise<Record<string, number[]>> {
  progress('answers out of the shared tier, and calls')
  const ask = async (replica: Replica | undefined, firstNumber: number) => {
    const asked = Array.from({ length: contacts }, (_, index) => ({
      dueMs: index * gapMs,
      url: replica?.urlOf(replicaId('ended', firstNumber + index)) ?? '',
      headers: headersOf(index),
    }))
    return (await asker.ask(asked)).map(took).sort((a, b) => a - b)
  }
  await ask(alone.replicas[1], 20_000)
  await ask(shared.replicas[1], 20_000)
  return {
    'a miss, each for itself': await ask(alone.replicas[1], 30_000),
    'a miss at all replicas, with the tier': await ask(shared.replicas[0], 40_000),
    'a hit in the shared tier': await ask(shared.replicas[1], 40_000),
    'a hit in the first tier': await ask(shared.replicas[1], 40_000),
  }
}

const took = ({ sentMs, endedMs, status }: Answer) => (status === 200 ? endedMs - sentMs : Number.POSITIVE_INFINITY)
