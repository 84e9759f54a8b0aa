import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { requestText } from '../load/raw-connection.ts'

/** The kinds of events, and how often each has arrived. */
export type EventCounts = Record<'state' | 'checked' | 'problem' | 'end', number>

export interface EventReader {
  readonly counts: EventCounts
  /** When the last state arrived, in milliseconds since 1970 UTC. */
  readonly lastStateAt: () => number
  readonly close: () => void
}

export interface ReaderOptions {
  readonly origin: string
  /** That of the stream, with its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Whether it reads what arrives, or only the beginning; true by default. */
  readonly isReading?: boolean
}

/** Longer than the line that names an event. */
const tailLength = 20

/** Opens a stream of events with as little work as possible: it counts the events. Resolves with the first state. */
export async function openReader({ origin, path, headers, isReading = true }: ReaderOptions): Promise<EventReader> {
  const { hostname, port } = new URL(origin)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  const counts: EventCounts = { state: 0, checked: 0, problem: 0, end: 0 }
  const { promise: first, resolve, reject } = Promise.withResolvers<void>()
  /** The status and the headers, or a whole problem. */
  let beginning = ''
  let tail = ''
  let lastStateAt = 0
  await once(socket, 'connect')
  socket
    .on('error', () => {})
    .on('close', () => reject(new Error(`${path} ended before its first state: ${beginning}`)))
    .on('data', (chunk) => {
      const text = tail + chunk.toString('latin1')
      if (beginning === '') beginning = text
      if (!beginning.startsWith('HTTP/1.1 200')) socket.destroy()
      let counted = 0
      for (const { 1: event, 0: line, index } of text.matchAll(/event: (state|checked|problem|end)\n/g)) {
        counts[event as keyof EventCounts] += 1
        if (event === 'state') lastStateAt = Date.now()
        counted = index + line.length
      }
      tail = text.slice(Math.max(counted, text.length - tailLength))
      if (counts.state === 0) return
      resolve()
      if (!isReading) socket.pause()
    })
  socket.write(requestText(origin, path, headers))
  await first
  return { counts, lastStateAt: () => lastStateAt, close: () => socket.destroy() }
}

/** Opens streams, a few at a time, in the order of their paths. */
export async function openReaders(
  options: Omit<ReaderOptions, 'path'>,
  paths: readonly string[],
  atOnce: number,
): Promise<EventReader[]> {
  const readers: EventReader[] = []
  let next = 0
  const openNext = async () => {
    for (let index = next; index < paths.length; index = next) {
      next += 1
      readers[index] = await openInTime({ ...options, path: paths[index] ?? '' })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, openNext))
  return readers
}

/** Comes back a few times when the service is too busy, as a page does. */
async function openInTime(options: ReaderOptions, tries = 10): Promise<EventReader> {
  try {
    return await openReader(options)
  } catch (error) {
    if (tries === 1) throw error
    await sleep(2000)
    return await openInTime(options, tries - 1)
  }
}
