import type { Plan } from '../load/plan.ts'
import { askOnce, headersIn } from '../recorded-answers.ts'
import { cpuOf, doubtsAbout, sampleFlatOut, tableOf, warmUp } from '../sample.ts'
import type { Bench, Findings, Section } from '../section.ts'
import { type Cast, interleave, withCast } from '../started-subjects.ts'
import { ratiosOf } from '../statistics.ts'
import { ceiling } from '../subjects/ceiling.ts'
import { nginxTrimmed } from '../subjects/nginx.ts'
import { service } from '../subjects/service.ts'
import { callerHeaders, type Subject } from '../subjects/subject.ts'
import { benchId } from '../upstream/document.ts'

/** Callers who have the answer already, and only ask whether it still holds. */
export const notModified: Section = {
  name: '304',
  run: (bench) => withCast([ceiling, service, nginxTrimmed], bench, (cast) => measure(bench, cast)),
}

/** A subject asked one way or the other. */
interface Asked {
  readonly name: string
  readonly subject: Subject
  readonly changes: Partial<Plan>
}

async function measure(bench: Bench, { subjects, missing }: Cast): Promise<Findings> {
  const asked: Asked[] = []
  for (const subject of subjects) {
    const headers = { ...callerHeaders, 'if-none-match': await tagOf(subject) }
    asked.push({ name: `${subject.name}: 200`, subject, changes: {} })
    asked.push({ name: `${subject.name}: 304`, subject, changes: { headers } })
  }
  for (const { subject, changes } of asked) await warmUp(bench, [subject], changes)
  const samples = await interleave(asked, bench.flags.rounds, ({ subject, changes }) =>
    sampleFlatOut(bench, subject, changes),
  )
  const cost = (status: 200 | 304) => cpuOf(samples, `${service.name}: ${status}`)
  return {
    title: 'Not modified',
    notes: [
      'The same document with and without If-None-Match. Hilos sends no tags, so only who makes them can answer 304.',
      ...missing,
      ...doubtsAbout(samples, []),
    ],
    tables: [tableOf(samples, 'answers', 'answer', `${ceiling.name}: 200`)],
    goals: [
      {
        text: 'CPU of a 304 against that of a 200',
        limit: 1,
        measured: ratiosOf(cost(304), cost(200)).median,
        unit: 'times',
        digits: 2,
      },
    ],
    data: Object.fromEntries(samples),
  }
}

/** @throws Error when the subject does not answer 304 to its own tag: then something else would be measured */
async function tagOf({ name, origin }: Subject): Promise<string> {
  await askOnce(origin, benchId(0), {})
  const { etag = '' } = headersIn((await askOnce(origin, benchId(0), {})).head)
  const { status } = await askOnce(origin, benchId(0), { 'if-none-match': etag })
  if (status !== 304) throw new Error(`${name} answers ${status} to its own tag ${etag}`)
  return etag
}
