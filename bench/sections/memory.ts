import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { residentBytes } from '../cpu.ts'
import type { MemoryReading } from '../inside/memory-probe.ts'
import { generate } from '../load/load.ts'
import type { RunningProgram } from '../processes.ts'
import { requestOnce } from '../recorded-answers.ts'
import { planFor } from '../sample.ts'
import type { Bench, Findings, Goal, Section } from '../section.ts'
import { formatNumber, formatSpread, spreadOf } from '../statistics.ts'
import { startService } from '../subjects/service.ts'
import type { Subject } from '../subjects/subject.ts'
import { benchId } from '../upstream/document.ts'

const probe = fileURLToPath(new URL('../inside/memory-probe.ts', import.meta.url))
/** Loaded before the first measurement, so that the heap has grown and the code is compiled. */
const warmDocuments = 3000
/** The cache stores the widest view. */
const query = '?view=transcript'
const mebibyte = 1024 ** 2

interface Level {
  readonly documents: number
  readonly residentBytes: number
  readonly reading: MemoryReading
  /** How many documents of a sample are no longer in the cache. */
  readonly missing: number
}

/** The memory of cached contacts, and the pauses of the garbage collector that they cause. */
export const memory: Section = { name: 'memory', run: measure }

async function measure(bench: Bench): Promise<Findings> {
  const { subject, running } = await startService(
    { name: 'hilos-bff', log: 'file', flags: ['--expose-gc', '--import', probe], messages: true },
    bench,
  )
  try {
    const first = bench.freshNumbers(Math.max(warmDocuments, ...bench.flags.documents))
    const { body } = await requestOnce(subject.origin, benchId(first), {}, query)
    const levels: Level[] = []
    for (const documents of [warmDocuments, ...bench.flags.documents.filter((count) => count > warmDocuments)]) {
      bench.progress(`filling the cache up to ${documents} documents`)
      levels.push(await fillTo(bench, subject, running, { first, from: levels.at(-1)?.documents ?? 0, documents }))
    }
    return findingsOf(levels, body.length)
  } finally {
    await subject.stop()
  }
}

interface Range {
  readonly first: number
  /** The number of documents that are already cached. */
  readonly from: number
  readonly documents: number
}

async function fillTo(bench: Bench, subject: Subject, running: RunningProgram, range: Range): Promise<Level> {
  const { first, from, documents } = range
  const requests = documents - from
  const plan = { ...planFor(subject), from: first + from, keys: requests, connections: 16, query }
  await generate({ ...plan, pace: { kind: 'count', requests } }, bench.cores.load)
  await sleep(1000)
  running.child.send('read')
  const [reading] = (await once(running.child, 'message')) as [MemoryReading]
  const residents = residentBytes(subject.pids)
  return { documents, residentBytes: residents, reading, missing: await missingOf(bench, subject, range) }
}

const sampled = 100

/** Requests documents of the whole range again, and returns how many of them needed a call. */
async function missingOf({ upstream }: Bench, { origin }: Subject, { first, documents }: Range): Promise<number> {
  const before = await upstream.calls()
  for (let index = 0; index < sampled; index += 1)
    await requestOnce(origin, benchId(first + Math.floor((index * documents) / sampled)), {}, query)
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
      `The cache is filled over HTTP with the view transcript, ${formatNumber(rendered, 0)} bytes each, and compared with ` +
        `${formatNumber(warmDocuments, 0)} documents. "Live" is the size of heap and buffers after a full collection. ` +
        'Resident memory is the number of the operating system, including free memory that the allocators keep.',
      'Forced collections are the worst case: V8 has marked no objects in advance, and all threads of the collector share ' +
        'the one core of the server. "By itself" is the longest major collection that V8 started during the filling.',
      `"Missing" is the number of documents, of ${sampled} that were requested again, that needed a call.`,
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
          'missing',
        ],
        rows: levels.map((level) => [
          formatNumber(level.documents, 0),
          formatNumber(level.residentBytes / mebibyte, 0),
          formatNumber((level.reading.heapUsed + level.reading.external) / mebibyte, 0),
          level === base ? '' : formatNumber(residentEach(level), 0),
          level === base ? '' : formatNumber(liveEach(level), 0),
          formatSpread(spreadOf(level.reading.fullCollectionsMs), 1),
          formatNumber(level.reading.longestMajorMs, 1),
          String(level.missing),
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
        text: `resident memory of a cached contact ${at}, compared with twice its rendered bytes plus 2 KiB`,
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
