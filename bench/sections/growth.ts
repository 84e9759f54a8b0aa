import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { residentBytes } from '../cpu.ts'
import type { MemoryReading } from '../inside/memory-probe.ts'
import { generate } from '../load/load.ts'
import { openConnection, type RawConnection, requestText } from '../load/raw-connection.ts'
import type { RunningProgram } from '../processes.ts'
import { cpuOf, planFor, type Sample, sampleClosedLoop, usualConnections, warmUp, warningsAbout } from '../sample.ts'
import type { Bench, Findings, Section, Table } from '../section.ts'
import { interleave, withSubjects } from '../started-subjects.ts'
import { formatNumber, formatSpread, ratiosOf, spreadOf } from '../statistics.ts'
import { ceiling } from '../subjects/ceiling.ts'
import { service, startService } from '../subjects/service.ts'
import { callerHeaders, type Subject } from '../subjects/subject.ts'
import { benchId } from '../upstream/document.ts'

const connectionCounts = [1, 10, 100, 1000]
/** Open connections whose memory is measured. The service accepts 4096. */
const idleConnections = 2000
const probe = fileURLToPath(new URL('../inside/memory-probe.ts', import.meta.url))

/** Hits over more and more documents and connections. */
export const growth: Section = { name: 'growth', run: measure }

async function measure(bench: Bench): Promise<Findings> {
  const counts = [1, 1000, ...bench.flags.documents]
  const overDocuments = await withSubjects([service], bench, async ({ subjects: [subject] }) =>
    subject === undefined ? new Map() : await hitsOverDocuments(bench, subject, counts),
  )
  const overConnections = await withSubjects([ceiling, service], bench, async ({ subjects }) =>
    hitsOverConnections(bench, subjects),
  )
  const bytesEach = await memoryOfConnections(bench)
  const times = { unit: 'times', digits: 2 }
  const fewest = cpuOf(overDocuments, documentsName(1000))
  return {
    title: 'Hits over more documents and connections',
    notes: [
      `${usualConnections} connections ask for the documents in turn. With many documents, each is rarely in a cache of the processor.`,
      `Each of ${formatNumber(idleConnections, 0)} connections has had one response, and stays open. Their memory is that of ` +
        'the process after a full collection, without what the kernel keeps.',
      ...warningsAbout(overDocuments, []),
      ...warningsAbout(overConnections, []),
    ],
    tables: [
      {
        columns: ['Documents', 'CPU µs per hit', 'times 1,000'],
        rows: counts.map((count) => [
          formatNumber(count, 0),
          formatSpread(spreadOf(cpuOf(overDocuments, documentsName(count))), 1),
          formatSpread(ratiosOf(cpuOf(overDocuments, documentsName(count)), fewest), 2),
        ]),
      },
      connectionTable(overConnections),
      { columns: ['Memory', 'bytes'], rows: [['resident, for each connection', formatNumber(bytesEach, 0)]] },
    ],
    goals: bench.flags.documents.map((count) => ({
      text: `CPU of a hit on ${formatNumber(count, 0)} documents, compared with 1,000`,
      limit: 1.25,
      measured: ratiosOf(cpuOf(overDocuments, documentsName(count)), fewest).median,
      ...times,
    })),
    data: {
      documents: Object.fromEntries(overDocuments),
      connections: Object.fromEntries(overConnections),
      residentBytesPerConnection: bytesEach,
    },
  }
}

const documentsName = (count: number) => `${formatNumber(count, 0)} documents`
const connectionsName = (subject: string, count: number) => `${subject}, ${formatNumber(count, 0)} connections`

async function hitsOverDocuments(bench: Bench, subject: Subject, counts: readonly number[]) {
  const most = Math.max(...counts)
  const from = bench.freshNumbers(most)
  bench.progress(`filling the cache with ${formatNumber(most, 0)} documents`)
  const fill = { ...planFor(subject), from, keys: most, connections: 16 }
  await generate({ ...fill, pace: { kind: 'count', requests: most } }, bench.cores.load)
  await warmUp(bench, [subject], { from, keys: most })
  const levels = counts.map((count) => ({ name: documentsName(count), count }))
  return await interleave(bench, levels, ({ count }) => sampleClosedLoop(bench, subject, { from, keys: count }))
}

async function hitsOverConnections(bench: Bench, subjects: readonly Subject[]) {
  await warmUp(bench, subjects)
  const variants = connectionCounts.flatMap((connections) =>
    subjects.map((subject) => ({ name: connectionsName(subject.name, connections), subject, connections })),
  )
  return await interleave(bench, variants, ({ subject, connections }) =>
    sampleClosedLoop(bench, subject, { connections }),
  )
}

function connectionTable(samples: ReadonlyMap<string, readonly Sample[]>): Table {
  return {
    columns: ['Connections', 'CPU µs per hit', 'ceiling', 'times ceiling'],
    rows: connectionCounts.map((count) => {
      const ours = cpuOf(samples, connectionsName(service.name, count))
      const base = cpuOf(samples, connectionsName(ceiling.name, count))
      return [
        formatNumber(count, 0),
        formatSpread(spreadOf(ours), 1),
        formatSpread(spreadOf(base), 1),
        formatSpread(ratiosOf(ours, base), 2),
      ]
    }),
  }
}

/** Returns the resident memory of one open connection, in bytes. */
async function memoryOfConnections(bench: Bench): Promise<number> {
  const flags = ['--expose-gc', '--import', probe]
  const { subject, running } = await startService({ name: 'hilos-bff', log: 'file', flags, messages: true }, bench)
  try {
    // Compiles the code. More of them would leave memory behind that those that count could use.
    for (const connection of await openMany(subject, 100)) connection.close()
    const before = await residentAfterCollection(running)
    const connections = await openMany(subject, idleConnections)
    const grown = (await residentAfterCollection(running)) - before
    for (const connection of connections) connection.close()
    return grown / idleConnections
  } finally {
    await subject.stop()
  }
}

async function openMany({ origin }: Subject, count: number): Promise<RawConnection[]> {
  const request = requestText(origin, `/execution-contacts/${benchId(0)}`, callerHeaders)
  const connections: RawConnection[] = []
  while (connections.length < count) {
    const connection = await openConnection(origin)
    await new Promise((resolve) => connection.ask(request, resolve))
    connections.push(connection)
  }
  return connections
}

async function residentAfterCollection({ child, pid }: RunningProgram): Promise<number> {
  child.send('read')
  await (once(child, 'message') as Promise<[MemoryReading]>)
  return residentBytes([pid])
}
