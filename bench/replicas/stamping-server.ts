import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { argv } from 'node:process'
import { documentOf } from './contacts.ts'
import { monotonicMs } from './monotonic.ts'
import type { Rule, StampedCall } from './stamping-hilos.ts'

// This process is the fake Hilos of the section `replicas`. It stamps each call and counts the revisions of each contact: a call
// gets the revision that the contact had when it arrived, however late the answer is. Arguments: port, token.
const [, , port, token] = argv
const contactPath = /\/flow-execution-contact\/([0-9a-f-]{36})\/?$/
const turnMs = 2
let calls: StampedCall[] = []
const revisions = new Map<string, number>()
/** By the id; null is for all others. */
const rules = new Map<string | null, Rule>()
const delays = monitorEventLoopDelay({ resolution: 2 })
delays.enable()
/** When this process last had its turn. */
let turnAt = monotonicMs()
setInterval(() => {
  turnAt = monotonicMs()
}, turnMs)

createServer((request, response) => {
  const atMs = monotonicMs()
  const id = contactPath.exec(request.url ?? '')?.[1]
  if (id === undefined) void control(request, response)
  else take(id, atMs, request, response)
}).listen(Number(port), '127.0.0.1')

function take(id: string, atMs: number, request: IncomingMessage, response: ServerResponse): void {
  const revision = (revisions.get(id) ?? 0) + 1
  revisions.set(id, revision)
  const { delayMs = 0, status = 200, retryAfterSeconds } = rules.get(id) ?? rules.get(null) ?? {}
  const call: StampedCall = {
    id,
    atMs,
    revision,
    status,
    lateMs: Math.max(0, atMs - turnAt - turnMs),
    answeredMs: null,
  }
  calls.push(call)
  if (request.headers.authorization !== `Token ${token}`) return void response.writeHead(401).end()
  const answer = () => {
    call.answeredMs = monotonicMs()
    const body =
      status === 200 ? documentOf(id, revision) : JSON.stringify({ detail: status === 404 ? 'Not found.' : 'x' })
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
    })
    response.end(body)
  }
  if (delayMs === 0) answer()
  else setTimeout(answer, delayMs)
}

/**
 * `GET` returns the calls since the last `DELETE`, which also removes all rules, with the longest delay of this process. `PUT` sets or
 * removes a rule.
 */
async function control(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = ''
  for await (const chunk of request) text += chunk
  if (request.method === 'PUT') {
    const { id, rule } = JSON.parse(text) as { id: string | null; rule: Rule | null }
    if (rule === null) rules.delete(id)
    else rules.set(id, rule)
  }
  if (request.method === 'DELETE') {
    calls = []
    rules.clear()
    delays.reset()
  }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ calls, lateMs: delays.max / 1e6 }))
}
