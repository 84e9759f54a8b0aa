import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { SoakReading } from '../inside/soak-probe.ts'
import { generate } from '../load/load.ts'
import type { GeneratorResult } from '../load/plan.ts'
import { planFor } from '../sample.ts'
import type { Bench, Findings, Section } from '../section.ts'
import { formatNumber } from '../statistics.ts'
import { startService } from '../subjects/service.ts'
import { statusesIn } from './statuses.ts'

const probe = fileURLToPath(new URL('../inside/soak-probe.ts', import.meta.url))
const minutes = 5
const perSecond = 500
const keys = 200
const faultsPercent = 10
const mebibyte = 1024 ** 2

/** An hour of lifetime becomes 7.2 s, and the day for which stale answers are usable becomes 173 s. */
const env = { CACHE_LIFETIME_SCALE: '0.002', HILOS_MAX_RPS: '100', HILOS_TIMEOUT_MS: '3000' }

/** A constant load for some minutes, while Hilos fails in many ways. */
export const soak: Section = { name: 'soak', run: measure }

interface Minute {
  readonly reading: SoakReading
  readonly result: GeneratorResult
  readonly calls: number
}

async function measure(bench: Bench): Promise<Findings> {
  const options = { name: 'hilos-bff', log: 'pipe', flags: ['--import', probe], messages: true, env } as const
  const { subject, running } = await startService(options, bench)
  const read = async () => {
    running.child.send('read')
    const [reading] = (await once(running.child, 'message')) as [SoakReading]
    return reading
  }
  const plan = { ...planFor(subject), from: bench.freshNumbers(keys), keys, connections: 128 }
  try {
    await generate({ ...plan, pace: { kind: 'rate', perSecond, seconds: 20 } }, bench.cores.load)
    await bench.upstream.faults(faultsPercent)
    await read()
    const passed: Minute[] = []
    for (let minute = 1; minute <= minutes; minute += 1) {
      bench.progress(`minute ${minute}`)
      const before = await bench.upstream.calls()
      const result = await generate({ ...plan, pace: { kind: 'rate', perSecond, seconds: 60 } }, bench.cores.load)
      passed.push({ reading: await read(), result, calls: (await bench.upstream.calls()) - before })
    }
    await bench.upstream.faults(0)
    await sleep(5000)
    const recovered = await generate({ ...plan, pace: { kind: 'rate', perSecond, seconds: 10 } }, bench.cores.load)
    return findingsOf(passed, recovered)
  } finally {
    await bench.upstream.faults(0)
    await subject.stop()
  }
}

function findingsOf(passed: readonly Minute[], recovered: GeneratorResult): Findings {
  return {
    title: `${minutes} minutes at ${perSecond} requests a second, with faults`,
    notes: [
      `${keys.toLocaleString('en-US')} documents are fresh for about seven seconds. The service makes at most ` +
        `${env.HILOS_MAX_RPS} calls a second, and ${faultsPercent} % of the calls get a 500, a 503, a 429 with ` +
        'Retry-After: 1, a reset, an incomplete body, a body that is not JSON, or no response for 5 s.',
      '"none" counts requests on connections that the generator had not used for 5 s: the service closes such connections.',
      `Five seconds after the last fault: ${statusesIn([recovered])}.`,
    ],
    tables: [
      {
        columns: [
          'Minute',
          'answers',
          'calls',
          'p50 ms',
          'p99 ms',
          'lag p99 ms',
          'lag max ms',
          'resident MiB',
          'heap MiB',
        ],
        rows: passed.map(({ reading, result, calls }, index) => [
          String(index + 1),
          statusesIn([result]),
          formatNumber(calls, 0),
          formatNumber(result.latencyMs.p50, 1),
          formatNumber(result.latencyMs.p99, 1),
          formatNumber(reading.lagMs.p99, 1),
          formatNumber(reading.lagMs.max, 1),
          formatNumber(reading.rss / mebibyte, 0),
          formatNumber(reading.heapUsed / mebibyte, 0),
        ]),
      },
    ],
    goals: [],
    data: { passed, recovered },
  }
}
