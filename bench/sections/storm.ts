import { setTimeout as sleep } from 'node:timers/promises'
import { generate } from '../load/load.ts'
import type { GeneratorResult } from '../load/plan.ts'
import { planFor } from '../sample.ts'
import type { Bench, Findings, Section } from '../section.ts'
import { interleave, withSubjects } from '../started-subjects.ts'
import { formatSpread, spreadOf } from '../statistics.ts'
import { serviceWith } from '../subjects/service.ts'
import type { Subject } from '../subjects/subject.ts'
import { statusesIn } from './statuses.ts'

const documents = 1000
const callersEach = 2
const delayMs = 50
/** An hour of lifetime becomes 3.6 s. */
const scale = 0.001
/** Longer than the lifetime and its jitter. */
const expiryMs = 4600

const kind = serviceWith({
  name: 'hilos-bff',
  log: 'pipe',
  env: { CACHE_LIFETIME_SCALE: String(scale) },
})

/** A thousand documents that expire at the same time. */
export const storm: Section = {
  name: 'storm',
  run: (bench) =>
    withSubjects([kind], bench, async ({ subjects }) => {
      await bench.upstream.delay(delayMs)
      const storms = await interleave(bench, subjects, (subject) => expireAndAsk(bench, subject))
      await bench.upstream.delay(0)
      return findingsOf(storms.get(kind.name) ?? [])
    }),
}

interface Storm extends GeneratorResult {
  readonly calls: number
  readonly maxConcurrentCalls: number
}

async function expireAndAsk({ upstream, cores, freshNumbers }: Bench, subject: Subject): Promise<Storm> {
  const plan = { ...planFor(subject), from: freshNumbers(documents), keys: documents }
  await upstream.delay(0)
  await generate({ ...plan, connections: 16, pace: { kind: 'count', requests: documents } }, cores.load)
  await sleep(expiryMs)
  await upstream.delay(delayMs)
  const before = await upstream.calls()
  const requests = documents * callersEach
  const result = await generate(
    { ...plan, sameInARow: callersEach, connections: requests, pace: { kind: 'count', requests } },
    cores.load,
  )
  const maxConcurrentCalls = await upstream.maxConcurrentCalls()
  // Background refreshes also have time to end.
  await sleep((documents / 16) * delayMs + 1000)
  return { ...result, calls: (await upstream.calls()) - before, maxConcurrentCalls }
}

function findingsOf(storms: readonly Storm[]): Findings {
  const column = (value: (storm: Storm) => number, digits: number) => formatSpread(spreadOf(storms.map(value)), digits)
  return {
    title: `${documents.toLocaleString('en-US')} documents that expire together`,
    notes: [
      `All callers, ${callersEach} for each document, send their requests at the same time. The documents were stored ` +
        `${expiryMs} ms before, for ${scale * 3600} s. Hilos takes ${delayMs} ms. Calls are counted until some seconds ` +
        'after the last response.',
    ],
    tables: [
      {
        columns: ['calls', 'most concurrent', 'answers', 'p50 ms', 'p99 ms', 'seconds'],
        rows: [
          [
            column(({ calls }) => calls, 0),
            column(({ maxConcurrentCalls }) => maxConcurrentCalls, 0),
            statusesIn(storms),
            column(({ latencyMs }) => latencyMs.p50, 0),
            column(({ latencyMs }) => latencyMs.p99, 0),
            column(({ seconds }) => seconds, 2),
          ],
        ],
      },
    ],
    goals: [],
    data: storms,
  }
}
