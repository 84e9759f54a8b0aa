import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { cpuMicros } from '../cpu.ts'
import type { BlockReading } from '../inside/block-probe.ts'
import { openConnection, type RawAnswer, type RawConnection, requestText } from '../load/raw-connection.ts'
import type { RunningProgram } from '../processes.ts'
import type { Bench, Findings, Section } from '../section.ts'
import { interleave } from '../started-subjects.ts'
import { formatNumber, formatSpread, spreadOf } from '../statistics.ts'
import { startService } from '../subjects/service.ts'
import { callerHeaders, type Subject } from '../subjects/subject.ts'
import { sizedId, sizes } from '../upstream/document.ts'

const probe = fileURLToPath(new URL('../inside/block-probe.ts', import.meta.url))
/** So many bytes are loaded for one value of the CPU time, which the system counts in hundredths of a second. */
const bytesMeasured = 20_000_000
const longestBlockMs = 50
const env = { HILOS_MAX_BODY_BYTES: String(5 * 1024 ** 2) }

/** The cost of a miss and the longest block of the event loop, by the size of the document. */
export const documentSizes: Section = { name: 'sizes', run: measure }

interface Measured {
  readonly cpuMicros: number
  /** How long the event loop was held at most by a miss, and by the first transcript for an agent after it. */
  readonly missBlockMs: number
  readonly transcriptBlockMs: number
}

async function measure(bench: Bench): Promise<Findings> {
  const options = { name: 'hilos-bff', log: 'file', flags: ['--import', probe], messages: true, env } as const
  const { subject, running } = await startService(options, bench)
  const connection = await openConnection(subject.origin)
  const ask = (id: string, query = '') => askFor(subject, connection, id, query)
  try {
    const kinds = sizes.map((bytes, index) => ({ name: `${formatNumber(bytes / 1000, 0)} kB`, bytes, index }))
    const loadNew = async ({ bytes, index }: (typeof kinds)[number]) => {
      const requests = Math.ceil(Math.min(1000, bytesMeasured / bytes))
      const first = bench.freshNumbers(requests)
      for (let number = first; number < first + requests; number += 1) await ask(sizedId(index, number))
      return requests
    }
    for (const kind of kinds) await loadNew(kind)
    const results = await interleave(bench, kinds, async (kind): Promise<Measured> => {
      const before = cpuMicros(subject.pids)
      const requests = await loadNew(kind)
      const cpu = (cpuMicros(subject.pids) - before) / requests
      const id = sizedId(kind.index, bench.freshNumbers(1))
      const missBlockMs = await longestBlock(running, () => ask(id))
      const transcript = '?view=transcript&profile=agent'
      return { cpuMicros: cpu, missBlockMs, transcriptBlockMs: await longestBlock(running, () => ask(id, transcript)) }
    })
    return findingsOf(results)
  } finally {
    connection.close()
    await subject.stop()
  }
}

async function askFor({ origin }: Subject, connection: RawConnection, id: string, query: string): Promise<void> {
  const request = requestText(origin, `/execution-contacts/${id}${query}`, callerHeaders)
  const { status } = await new Promise<RawAnswer>((resolve) => connection.ask(request, resolve))
  if (status !== 200) throw new Error(`a response has the status ${status}`)
}

async function longestBlock({ child }: RunningProgram, during: () => Promise<void>): Promise<number> {
  const read = async () => {
    child.send('read')
    const [reading] = (await once(child, 'message')) as [BlockReading]
    return reading
  }
  await read()
  await during()
  return await read()
}

function findingsOf(results: ReadonlyMap<string, readonly Measured[]>): Findings {
  const largest = spreadOf([...results.values()].flat().flatMap((turn) => [turn.missBlockMs, turn.transcriptBlockMs]))
  return {
    title: 'Documents of different sizes',
    notes: [
      'Runs with more and more messages, one request at a time. A block is the longest time for which the event loop was ' +
        'held, and so every other request. The transcript is the first that an agent reads after the miss.',
    ],
    tables: [
      {
        columns: ['Document', 'CPU µs per miss', 'CPU µs per kB', 'longest block, miss, ms', 'transcript, ms'],
        rows: [...results].map(([name, turns], index) => {
          const spread = (value: (turn: Measured) => number) => spreadOf(turns.map(value))
          const cpu = spread((turn) => turn.cpuMicros)
          const miss = spread((turn) => turn.missBlockMs)
          const transcript = spread((turn) => turn.transcriptBlockMs)
          const perKilobyte = (cpu.median * 1000) / (sizes[index] ?? Number.NaN)
          const costs = [formatSpread(cpu, 0), formatNumber(perKilobyte, 1)]
          return [name, ...costs, formatSpread(miss, 1), formatSpread(transcript, 1)]
        }),
      },
    ],
    goals: [
      {
        text: 'the longest block of the event loop by one document',
        limit: longestBlockMs,
        measured: largest.max,
        unit: 'ms',
        digits: 1,
      },
    ],
    data: Object.fromEntries(results),
  }
}
