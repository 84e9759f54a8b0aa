import { setTimeout as sleep } from 'node:timers/promises'
import { requestOnce } from '../recorded-answers.ts'
import type { Bench } from '../section.ts'
import { callerHeaders } from '../subjects/subject.ts'
import { largeMovingId, pacedId } from '../upstream/document.ts'
import { type EventReader, openReader, openReaders } from './event-reader.ts'
import { type LiveService, startLiveService } from './live-service.ts'

export const idleStreams = 1000
/** The kernel holds up to 4 MB for a connection that is not read, and has 2 GB for all connections of the machine. */
export const stalledStreams = 200
const idleSeconds = 30
/** Collections and compilations after work are over by then. */
const settleMs = 5000
const pauseMs = 250
const streamsNow = 'hilos_bff_watchers{kind="stream"}'

export interface IdleCost {
  readonly residentBytesEach: number
  readonly heapBytesEach: number
  readonly heartbeats: number
  /** Of a core, at a thousand heartbeats a second. */
  readonly percentOfCore: number
}

/** A thousand streams of as many runs, on which nothing happens but heartbeats, every 5.5 s. */
export async function measureIdle(bench: Bench): Promise<IdleCost> {
  bench.progress(`${idleStreams} idle streams`)
  const service = await startLiveService(bench, { HILOS_TIMEOUT_MS: '1000' })
  const { origin } = service
  const options = { origin, headers: callerHeaders }
  const ids = Array.from({ length: idleStreams }, (_, number) => pacedId('longQuiet', number))
  const paths = ids.map((id) => eventsPath(id))
  try {
    for (const id of ids) await requestOnce(origin, id, {})
    // Compiles the code. More of them would leave memory behind that those that count could use.
    closeAll(await openReaders(options, paths.slice(0, 100), 16))
    const without = await listen(service, [])
    // The first half takes the memory that was free already.
    const half = idleStreams / 2
    const readers = await openReaders(options, paths.slice(0, half), 16)
    const before = await service.memory()
    readers.push(...(await openReaders(options, paths.slice(half), 16)))
    const after = await service.memory()
    const { cpuSeconds, heartbeats } = await listen(service, readers)
    closeAll(readers)
    return {
      residentBytesEach: (after.rss - before.rss) / half,
      heapBytesEach: (heapOf(after) - heapOf(before)) / half,
      heartbeats,
      percentOfCore: ((cpuSeconds - without.cpuSeconds) / heartbeats) * 1000 * 100,
    }
  } finally {
    await service.stop()
  }
}

export interface StalledCost {
  readonly stateBytes: number
  /** For each reader, at most. */
  readonly heapBytesEach: number
  /** From when the kernel took nothing more until all streams were closed. */
  readonly goneAfterSeconds: number
  readonly limitSeconds: number
}

/** Readers that read nothing of a large run, which has a new state every three seconds. */
export async function measureStalled(bench: Bench): Promise<StalledCost> {
  bench.progress(`${stalledStreams} stalled readers`)
  const timeoutSeconds = 4
  const service = await startLiveService(bench, {
    HILOS_MAX_RPS: '0',
    CACHE_LIFETIME_SCALE: '1',
    HILOS_TIMEOUT_MS: String(timeoutSeconds * 1000),
  })
  const options = { origin: service.origin, headers: callerHeaders }
  const path = eventsPath(largeMovingId, 'transcript')
  try {
    // Keeps the run moving after all others are gone.
    const reading = await openReader({ ...options, path })
    const state = await fetch(service.origin + path.replace('/events', ''), { headers: callerHeaders })
    const stateBytes = (await state.arrayBuffer()).byteLength
    const before = await service.memory()
    const stalled = await openReaders({ ...options, isReading: false }, Array(stalledStreams).fill(path), 2)
    const { stalledAt, mostHeapBytes } = await untilStalled(service, reading)
    await untilMetric(service, (streams) => streams <= 1)
    const goneAfterSeconds = (Date.now() - stalledAt) / 1000
    closeAll([...stalled, reading])
    const heapBytesEach = (mostHeapBytes - heapOf(before)) / stalledStreams
    return { stateBytes, heapBytesEach, goneAfterSeconds, limitSeconds: timeoutSeconds + 10 }
  } finally {
    await service.stop()
  }
}

/** Returns when the last state was given to the kernel for a reader that does not read, and the most memory until then. */
async function untilStalled(service: LiveService, reading: EventReader) {
  const sentToStalled = async () => (await service.metric('hilos_bff_states_sent_total')) - reading.counts.state
  let [sent, stalledAt, mostHeapBytes] = [0, Date.now(), 0]
  // Two more states of the run would have been sent by then.
  while (sent < stalledStreams || Date.now() - stalledAt < 7000) {
    await sleep(pauseMs)
    mostHeapBytes = Math.max(mostHeapBytes, heapOf(await service.memory()))
    const now = await sentToStalled()
    // The state that the reading one has not received yet counts for it.
    if (now > sent + 1) [sent, stalledAt] = [now, Date.now()]
  }
  return { stalledAt, mostHeapBytes }
}

async function untilMetric(service: LiveService, isReached: (streams: number) => boolean): Promise<void> {
  while (!isReached(await service.metric(streamsNow))) await sleep(pauseMs)
}

/** Returns the CPU time of the service during `idleSeconds` without requests, and the heartbeats that arrived. */
async function listen(service: LiveService, readers: readonly EventReader[]) {
  const heard = () => readers.reduce((sum, { counts }) => sum + counts.checked, 0)
  await sleep(settleMs)
  const [before, first] = [service.cpuMicros(), heard()]
  await sleep(idleSeconds * 1000)
  return { cpuSeconds: (service.cpuMicros() - before) / 1e6, heartbeats: heard() - first }
}

const heapOf = ({ heapUsed, external }: { readonly heapUsed: number; readonly external: number }) => heapUsed + external
const eventsPath = (id: string, view = 'timeline') => `/execution-contacts/${id}/events?view=${view}`

function closeAll(readers: readonly EventReader[]): void {
  for (const reader of readers) reader.close()
}
