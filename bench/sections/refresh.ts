import { cpuOf, sampleClosedLoop, tableOf, tooFewCalls, warmUp, warningsAbout } from '../sample.ts'
import type { Bench, Findings, Section } from '../section.ts'
import { interleave, type StartedSubjects, withSubjects } from '../started-subjects.ts'
import { ratiosOf } from '../statistics.ts'
import { httpProxy } from '../subjects/http-proxy.ts'
import { serviceWith } from '../subjects/service.ts'

const connections = 16
const enough = 1_000_000
/** An hour of lifetime becomes 36 ms, and the day for which stale answers are usable becomes 864 ms. */
const scale = 1e-5
/** At some hundred to some thousand refreshes a second, each is asked for again within those times. */
const keys = 300
const refreshing = serviceWith({
  name: 'refresh: hilos-bff',
  log: 'pipe',
  env: { CACHE_LIFETIME_SCALE: String(scale) },
})
const missing = serviceWith({ name: 'miss: hilos-bff', log: 'pipe' })

/** Refreshes that bring the same document again, beside misses. */
export const refresh: Section = {
  name: 'refresh',
  run: (bench) => withSubjects([refreshing, missing, httpProxy], bench, (started) => measure(bench, started)),
}

async function measure(bench: Bench, { subjects, missing: notStarted }: StartedSubjects): Promise<Findings> {
  const stale = { from: bench.freshNumbers(keys), keys, connections }
  const loadOn = (name: string) =>
    name === refreshing.name ? stale : { from: bench.freshNumbers(enough), keys: enough, connections }
  for (let repetition = 0; repetition < 5; repetition += 1)
    for (const subject of subjects) await warmUp(bench, [subject], loadOn(subject.name))
  const samples = await interleave(bench, subjects, (subject) => sampleClosedLoop(bench, subject, loadOn(subject.name)))
  return {
    title: 'Refreshes that bring the same document',
    notes: [
      `${keys} documents of 55 kB are asked for in turn. Each is stale when its turn comes again, so each request waits for a call ` +
        'to Hilos, which answers with the same bytes. A miss asks for a new document.',
      ...notStarted,
      ...warningsAbout(samples, [refreshing.name, missing.name, httpProxy.name]),
      ...tooFewCalls(samples),
    ],
    tables: [tableOf(samples, 'requests', 'request', missing.name)],
    goals: [
      {
        text: 'CPU of a refresh that brings the same document, compared with a miss',
        limit: 0.3,
        measured: ratiosOf(cpuOf(samples, refreshing.name), cpuOf(samples, missing.name)).median,
        unit: 'times',
        digits: 2,
      },
    ],
    data: Object.fromEntries(samples),
  }
}
