import { setTimeout as sleep } from 'node:timers/promises'
import { generate } from '../load/load.ts'
import type { GeneratorResult } from '../load/plan.ts'
import { planFor } from '../sample.ts'
import type { Bench, Findings, Section } from '../section.ts'
import { interleave, withCast } from '../started-subjects.ts'
import { formatSpread, spreadOf } from '../statistics.ts'
import { serviceWith } from '../subjects/service.ts'
import type { Subject } from '../subjects/subject.ts'
import { statusesIn } from './statuses.ts'

const documents = 1000
const callersEach = 2
const delayMs = 50
/** Makes an hour 3.6 s. */
const scale = 0.001
/** Longer than that, with a quarter for jitter. */
const expiryMs = 4600

const kind = serviceWith({
  name: 'hilos-bff',
  log: 'pipe',
  env: { CACHE_LIFETIME_SCALE: String(scale) },
})

/** A thousand documents that were all fresh, and all cease to be at once. */
export const storm: Section = {
  name: 'storm',
  run: (bench) =>
    withCast([kind], bench, async ({ subjects }) => {
      await bench.upstream.delay(delayMs)
      const turns = await interleave(subjects, bench.flags.rounds, (subject) => expireAndAsk(bench, subject))
      await bench.upstream.delay(0)
      return findingsOf(turns.get(kind.name) ?? [])
    }),
}

interface Turn extends GeneratorResult {
  readonly calls: number
  readonly mostAtOnce: number
}

async function expireAndAsk({ upstream, cores, freshNumbers }: Bench, subject: Subject): Promise<Turn> {
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
  const mostAtOnce = await upstream.mostAtOnce()
  // What is refreshed behind the answers has its time too.
  await sleep((documents / 16) * delayMs + 1000)
  return { ...result, calls: (await upstream.calls()) - before, mostAtOnce }
}

function findingsOf(turns: readonly Turn[]): Findings {
  const column = (value: (turn: Turn) => number, digits: number) => formatSpread(spreadOf(turns.map(value)), digits)
  return {
    title: `${documents.toLocaleString('en-US')} documents that expire together`,
    notes: [
      `${callersEach} callers for each document ask at the same moment, ${expiryMs} ms after it was stored for ` +
        `${scale * 3600} s; Hilos takes ${delayMs} ms. Calls are counted until some seconds after the last answer.`,
    ],
    tables: [
      {
        columns: ['calls', 'most at once', 'answers', 'p50 ms', 'p99 ms', 'seconds'],
        rows: [
          [
            column(({ calls }) => calls, 0),
            column(({ mostAtOnce }) => mostAtOnce, 0),
            statusesIn(turns),
            column(({ latencyMs }) => latencyMs.p50, 0),
            column(({ latencyMs }) => latencyMs.p99, 0),
            column(({ seconds }) => seconds, 2),
          ],
        ],
      },
    ],
    goals: [],
    data: turns,
  }
}
