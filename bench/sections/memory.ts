import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { residentBytes } from '../cpu.ts'
import type { MemoryReading } from '../inside/memory-probe.ts'
import { generate } from '../load/load.ts'
import type { Running } from '../processes.ts'
import { askOnce } from '../recorded-answers.ts'
import { planFor } from '../sample.ts'
import type { Bench, Findings, Goal, Section } from '../section.ts'
import { formatNumber, formatSpread, spreadOf } from '../statistics.ts'
import { startService } from '../subjects/service.ts'
import type { Subject } from '../subjects/subject.ts'
import { benchId } from '../upstream/document.ts'

const probe = fileURLToPath(new URL('../inside/memory-probe.ts', import.meta.url))
/** Asked for before anything is measured, so that the heap and the compilers have grown already. */
const warmDocuments = 3000
/** The widest view is what is remembered. */
const query = '?view=transcript'
const mebibyte = 1024 ** 2

interface Level {
  readonly documents: number
  readonly residentBytes: number
  readonly reading: MemoryReading
  /** Of some documents asked for again, those the service had to call for. */
  readonly forgotten: number
}

/** What remembered contacts take, and how long the collector stops the world for them. */
export const memory: Section = { name: 'memory', run: measure }

async function measure(bench: Bench): Promise<Findings> {
  const { subject, running } = await startService(
    { name: 'hilos-bff', log: 'file', flags: ['--expose-gc', '--import', probe], messages: true },
    bench,
  )
  try {
    const first = bench.freshNumbers(Math.max(warmDocuments, ...bench.flags.documents))
    const { body } = await askOnce(subject.origin, benchId(first), {}, query)
    const levels: Level[] = []
    for (const documents of [warmDocuments, ...bench.flags.documents.filter((count) => count > warmDocuments)]) {
      bench.say(`  filling up to ${documents} documents`)
      levels.push(await fillTo(bench, subject, running, { first, from: levels.at(-1)?.documents ?? 0, documents }))
    }
    return findingsOf(levels, body.length)
  } finally {
    await subject.stop()
  }
}

interface Range {
  readonly first: number
  /** Documents that are remembered already. */
  readonly from: number
  readonly documents: number
}

async function fillTo(bench: Bench, subject: Subject, running: Running, range: Range): Promise<Level> {
  const { first, from, documents } = range
  const requests = documents - from
  const plan = { ...planFor(subject), from: first + from, keys: requests, connections: 16, query }
  await generate({ ...plan, pace: { kind: 'count', requests } }, bench.cores.load)
  await sleep(1000)
  running.child.send('read')
  const [reading] = (await once(running.child, 'message')) as [MemoryReading]
  const residents = residentBytes(subject.pids)
  return { documents, residentBytes: residents, reading, forgotten: await forgottenOf(bench, subject, range) }
}

const sampled = 100

/** Asks again for documents all over the range. */
async function forgottenOf({ upstream }: Bench, { origin }: Subject, { first, documents }: Range): Promise<number> {
  const before = await upstream.calls()
  for (let index = 0; index < sampled; index += 1)
    await askOnce(origin, benchId(first + Math.floor((index * documents) / sampled)), {}, query)
  return (await upstream.calls()) - before
}

function findingsOf(levels: readonly Level[], rendered: number): Findings {
  const [base, ...filled] = levels
  const each = (level: Level, bytes: (level: Level) => number) =>
    base ? (bytes(level) - bytes(base)) / (level.documents - base.documents) : Number.NaN
  const residentEach = (level: Level) => each(level, (at) => at.residentBytes)
  const liveEach = (level: Level) => each(level, ({ reading }) => reading.heapUsed + reading.external)
  return {
    title: 'Memory and collections',
    notes: [
      `Filled over HTTP with the view transcript, ${formatNumber(rendered, 0)} bytes each, and compared with ` +
        `${formatNumber(warmDocuments, 0)} documents. "Live" is heap and buffers after a full collection; resident ` +
        'memory is what the system counts, with what the allocators keep for later.',
      'Forced collections are the worst case: nothing has been marked beforehand, and all threads of the collector share ' +
        'the one core of the server. "By itself" is the longest major collection V8 chose to make while it was filled.',
      `"Forgotten" is how many of ${sampled} documents asked for again cost a call.`,
    ],
    tables: [
      {
        columns: [
          'Documents',
          'resident MiB',
          'live MiB',
          'resident bytes each',
          'live bytes each',
          'full collection ms',
          'by itself ms',
          'forgotten',
        ],
        rows: levels.map((level) => [
          formatNumber(level.documents, 0),
          formatNumber(level.residentBytes / mebibyte, 0),
          formatNumber((level.reading.heapUsed + level.reading.external) / mebibyte, 0),
          level === base ? '' : formatNumber(residentEach(level), 0),
          level === base ? '' : formatNumber(liveEach(level), 0),
          formatSpread(spreadOf(level.reading.fullCollectionsMs), 1),
          formatNumber(level.reading.longestMajorMs, 1),
          String(level.forgotten),
        ]),
      },
    ],
    goals: goalsOf(filled, rendered, residentEach),
    data: { levels, rendered },
  }
}

function goalsOf(filled: readonly Level[], rendered: number, residentEach: (level: Level) => number): Goal[] {
  return filled.flatMap((level) => {
    const at = `at ${formatNumber(level.documents, 0)} documents`
    return [
      {
        text: `resident memory of a remembered contact ${at}, against twice its rendered bytes plus 2 KiB`,
        limit: 2 * rendered + 2048,
        measured: residentEach(level),
        unit: 'bytes',
        digits: 0,
      },
      {
        text: `pause of a full collection ${at}`,
        limit: 50,
        measured: spreadOf(level.reading.fullCollectionsMs).median,
        unit: 'ms',
        digits: 1,
      },
    ]
  })
}
