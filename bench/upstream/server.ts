import { createServer, type ServerResponse } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { argv } from 'node:process'
import { movingDocument, type SplitDocument, splitDocument, splitSizedDocument } from './document.ts'
import { createFaults } from './faults.ts'
import { createSplicedGzip } from './spliced-gzip.ts'
import type { Arrival } from './upstream.ts'

// This process is the fake Hilos of the bench. It has a document for every id, which is completed except for one. Arguments: port, token.
const [, , port, token] = argv
const usual = await splitDocument()
const contactPath = /^\/channel\/whatsapp\/flow-execution-contact\/([0-9a-f-]{36})\/?$/
const controlPath = /^\/bench\/(delay|faults|record|change)\/([0-9a-f-]+)$/
const sendFault = createFaults()
const baseHeaders = { 'content-type': 'application/json', vary: 'Accept, Accept-Encoding', server: 'bench' }

let calls = 0
let concurrentCalls = 0
let maxConcurrentCalls = 0
let delayMs = 0
let faultsPercent = 0
/** The calls since they were to be recorded; null when they are not. */
let arrivals: Arrival[] | null = null
/** How late this process was, at most, while calls were recorded. */
const delays = monitorEventLoopDelay({ resolution: 5 })
/** When a run was last changed by the bench, by id. */
const changes = new Map<string, number>()

createServer((request, response) => {
  const url = request.url ?? ''
  const id = contactPath.exec(url)?.[1]
  if (id === undefined) return control(url, response)
  calls += 1
  arrivals?.push({ id, at: Date.now() })
  concurrentCalls += 1
  maxConcurrentCalls = Math.max(maxConcurrentCalls, concurrentCalls)
  response.once('close', () => {
    concurrentCalls -= 1
  })
  if (request.headers.authorization !== `Token ${token}`) return response.writeHead(401).end()
  if (Math.random() * 100 < faultsPercent) return sendFault(response)
  const gzip = request.headers['accept-encoding']?.includes('gzip') ?? false
  if (delayMs === 0) answer(id, gzip, response)
  else setTimeout(answer, delayMs, id, gzip, response)
}).listen(Number(port), '127.0.0.1')

/** By the first part of the id, which says the size. */
const documents = new Map<string, ReturnType<typeof compressible>>()

function compressible({ before, after }: SplitDocument) {
  return { before, after, gzipOf: createSplicedGzip(after) }
}

function documentWith(id: string): ReturnType<typeof compressible> {
  const family = id.slice(0, 8)
  const document = documents.get(family) ?? compressible(splitSizedDocument(id) ?? usual)
  documents.set(family, document)
  return document
}

function answer(id: string, isGzipAccepted: boolean, response: ServerResponse): void {
  const moving = movingDocument(id, changes.get(id))
  const gzip = isGzipAccepted && moving === null
  const body = moving === null ? endedBody(id, gzip) : Buffer.from(moving)
  response.writeHead(200, {
    ...baseHeaders,
    ...(gzip && { 'content-encoding': 'gzip' }),
    'content-length': body.length,
  })
  response.end(body)
}

function endedBody(id: string, gzip: boolean): Buffer {
  const { before, after, gzipOf } = documentWith(id)
  const beginning = `${before}${id}`
  return gzip ? gzipOf(beginning) : Buffer.from(beginning + after)
}

/**
 * `/bench/calls` returns the counts, and `/bench/arrivals` each recorded call. `/bench/delay/{ms}` sets the delay of documents and resets the maximum.
 * `/bench/faults/{percent}` sets the share of calls that get a fault. `/bench/record/1` begins to record calls, and
 * `/bench/record/0` ends that. `/bench/change/{id}` changes a run that goes on.
 */
function control(url: string, response: ServerResponse): void {
  const [, setting, value] = controlPath.exec(url) ?? []
  if (setting === 'faults') faultsPercent = Number(value)
  if (setting === 'record') record(value === '1')
  if (setting === 'change') changes.set(value ?? '', Date.now())
  if (setting === 'delay') {
    delayMs = Number(value)
    maxConcurrentCalls = concurrentCalls
  }
  const known = setting !== undefined || url === '/bench/calls' || url === '/bench/arrivals'
  const counts = { calls, maxConcurrentCalls, ...(url === '/bench/arrivals' && { arrivals, lateMs: delays.max / 1e6 }) }
  response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(counts))
}

function record(isOn: boolean): void {
  arrivals = isOn ? [] : null
  delays.reset()
  if (isOn) delays.enable()
  else delays.disable()
}
