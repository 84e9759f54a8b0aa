import type { Plan } from '../load/plan.ts'
import { headersIn, requestOnce } from '../recorded-answers.ts'
import { cpuOf, sampleClosedLoop, tableOf, warmUp, warningsAbout } from '../sample.ts'
import type { Bench, Findings, Section } from '../section.ts'
import { interleave, type StartedSubjects, withSubjects } from '../started-subjects.ts'
import { ratiosOf } from '../statistics.ts'
import { ceiling } from '../subjects/ceiling.ts'
import { nginxTrimmed } from '../subjects/nginx.ts'
import { service } from '../subjects/service.ts'
import { callerHeaders, type Subject } from '../subjects/subject.ts'
import { benchId } from '../upstream/document.ts'

/** Conditional requests of callers who already have the response. */
export const notModified: Section = {
  name: '304',
  run: (bench) => withSubjects([ceiling, service, nginxTrimmed], bench, (started) => measure(bench, started)),
}

/** A subject with one kind of request. */
interface Variant {
  readonly name: string
  readonly subject: Subject
  readonly changes: Partial<Plan>
}

async function measure(bench: Bench, { subjects, missing }: StartedSubjects): Promise<Findings> {
  const variants: Variant[] = []
  for (const subject of subjects) {
    const headers = { ...callerHeaders, 'if-none-match': await tagOf(subject) }
    variants.push({ name: `${subject.name}: 200`, subject, changes: {} })
    variants.push({ name: `${subject.name}: 304`, subject, changes: { headers } })
  }
  for (const { subject, changes } of variants) await warmUp(bench, [subject], changes)
  const samples = await interleave(bench, variants, ({ subject, changes }) => sampleClosedLoop(bench, subject, changes))
  const cost = (status: 200 | 304) => cpuOf(samples, `${service.name}: ${status}`)
  return {
    title: 'Not modified',
    notes: [
      'The same document with and without If-None-Match. Hilos sends no ETags, so only servers that make ETags can answer 304.',
      ...missing,
      ...warningsAbout(samples, []),
    ],
    tables: [tableOf(samples, 'answers', 'answer', `${ceiling.name}: 200`)],
    goals: [
      {
        text: 'CPU of a 304, compared with a 200',
        limit: 1,
        measured: ratiosOf(cost(304), cost(200)).median,
        unit: 'times',
        digits: 2,
      },
    ],
    data: Object.fromEntries(samples),
  }
}

/** @throws Error if the subject does not answer 304 to its own ETag, because the measurement would be wrong */
async function tagOf({ name, origin }: Subject): Promise<string> {
  await requestOnce(origin, benchId(0), {})
  const { etag = '' } = headersIn((await requestOnce(origin, benchId(0), {})).head)
  const { status } = await requestOnce(origin, benchId(0), { 'if-none-match': etag })
  if (status !== 304) throw new Error(`${name} answers ${status} to its own ETag ${etag}`)
  return etag
}
