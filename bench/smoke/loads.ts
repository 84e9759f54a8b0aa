import type { Server } from 'node:http'
import { setImmediate as immediate } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { connectionOver, type RawAnswer, type RawConnection, requestText } from '../load/raw-connection.ts'
import { createCeiling } from '../peers/ceiling.ts'
import { headersIn, recordedOf } from '../recorded-answers.ts'
import { callerHeaders } from '../subjects/subject.ts'
import { benchId } from '../upstream/document.ts'
import type { MemoryHilos } from './memory-hilos.ts'
import type { MemoryService } from './memory-service.ts'
import { createSocketPair } from './memory-socket.ts'

/** Requests of one kind to one server, which are measured together. */
export interface SmokeLoad {
  readonly name: string
  /** Sends a batch of requests, one after the other, and returns the CPU time of each in microseconds. */
  readonly measure: () => Promise<number>
}

interface LoadOptions {
  readonly name: string
  readonly hilos: MemoryHilos
  readonly connection: RawConnection
  readonly status: number
  /** Brings the server into the state in which a batch begins, and returns the numbers of the documents to ask for. */
  readonly prepare: () => Promise<readonly number[]>
  readonly headers?: Readonly<Record<string, string>>
  /** How many requests of a batch cause a call to Hilos: all or none. Anything else is an error of the bench. */
  readonly calls: 'all' | 'none'
}

/** Batches of about a millisecond: most of them are not interrupted, and all kinds are as likely to be. */
const batchSizes = { ceiling: 150, readingCeiling: 8, cheap: 50, costly: 2 }
/** A completed run is fresh for an hour, more or less, and then stale for another one without a wait for its refresh. */
const staleMs = 2.5 * 3600 * 1000

const hitDocument = 0
const refreshed: readonly number[] = Array.from({ length: batchSizes.costly }, (_, index) => 1 + index)
let firstFresh = 1 + batchSizes.costly

/** Returns the loads on one build of the service: a hit, a 304, a refresh that brings the same bytes, and a miss. */
export async function loadsOn({ server, advance }: MemoryService, hilos: MemoryHilos): Promise<SmokeLoad[]> {
  hilos.prepare([hitDocument, ...refreshed])
  const connection = connectTo(server)
  const askForHit = () => ask(connection, requestOf(hitDocument))
  const ifNoneMatch = { 'if-none-match': etagOf(await askForHit()) }
  let missed: readonly number[] = []

  const stored = async () => {
    await askForHit()
    return Array<number>(batchSizes.cheap).fill(hitDocument)
  }
  const stale = async () => {
    advance(staleMs)
    // After such a time, the service opens a new connection to Hilos.
    await askForHit()
    return refreshed
  }
  const cold = async () => {
    hilos.forget(missed)
    missed = refreshed.map((_, index) => firstFresh + index)
    firstFresh += missed.length
    hilos.prepare(missed)
    return missed
  }
  const common = { connection, hilos }
  return [
    loadOf({ ...common, name: 'hit', status: 200, prepare: stored, calls: 'none' }),
    loadOf({ ...common, name: '304', status: 304, prepare: stored, calls: 'none', headers: ifNoneMatch }),
    loadOf({ ...common, name: 'refresh', status: 200, prepare: stale, calls: 'all' }),
    loadOf({ ...common, name: 'miss', status: 200, prepare: cold, calls: 'all' }),
  ]
}

/**
 * Returns the loads on the ceilings, which send what this service sends. The ceiling of a refresh and of a miss also unzips
 * and parses the document, so that other work on the machine and another processor change both alike.
 */
export async function loadsOnCeilings({ server }: MemoryService, hilos: MemoryHilos): Promise<SmokeLoad[]> {
  hilos.prepare([hitDocument])
  const recording = connectTo(server)
  const full = await ask(recording, requestOf(hitDocument))
  const headers = { 'if-none-match': etagOf(full) }
  const notModified = await ask(recording, requestOf(hitDocument, headers))
  const recorded = { full: recordedOf(full), notModified: recordedOf(notModified) }
  const gzip = hilos.bodyOf(hitDocument)
  const connection = connectTo(createCeiling(recorded))
  const reading = connectTo(createCeiling(recorded, () => JSON.parse(gunzipSync(gzip).toString())))
  const times = (size: number) => async () => Array<number>(size).fill(hitDocument)
  const common = { hilos, connection, prepare: times(batchSizes.ceiling), calls: 'none' } as const
  return [
    loadOf({ ...common, name: 'hit', status: 200 }),
    loadOf({ ...common, name: '304', status: 304, headers }),
    loadOf({ ...common, name: 'read', status: 200, connection: reading, prepare: times(batchSizes.readingCeiling) }),
  ]
}

function loadOf({ name, hilos, connection, status, prepare, headers = {}, calls }: LoadOptions): SmokeLoad {
  return {
    name,
    measure: async () => {
      const requests = (await prepare()).map((number) => requestOf(number, headers))
      // Timers that are due run now, and not while the time is taken.
      await immediate()
      const callsBefore = hilos.calls()
      const began = process.cpuUsage()
      for (const request of requests) {
        const answer = await ask(connection, request)
        if (answer.status !== status) throw new Error(`${name}: a response has the status ${answer.status}`)
      }
      const { user, system } = process.cpuUsage(began)
      const made = hilos.calls() - callsBefore
      const expected = calls === 'all' ? requests.length : 0
      if (made !== expected) throw new Error(`${name}: ${made} calls to Hilos instead of ${expected}`)
      return (user + system) / requests.length
    },
  }
}

function connectTo(server: Server): RawConnection {
  const [near, far] = createSocketPair()
  server.emit('connection', far)
  return connectionOver(near)
}

function ask(connection: RawConnection, request: string): Promise<RawAnswer> {
  return new Promise((resolve) => connection.ask(request, resolve))
}

const requestOf = (number: number, headers: Readonly<Record<string, string>> = {}) =>
  requestText('http://localhost', `/execution-contacts/${benchId(number)}`, { ...callerHeaders, ...headers })

const etagOf = ({ head }: RawAnswer) => headersIn(head).etag ?? ''
