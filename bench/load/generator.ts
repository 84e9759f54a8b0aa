import { argv, exit, stdout } from 'node:process'
import { quantileOf } from '../statistics.ts'
import { benchId } from '../upstream/document.ts'
import type { GeneratorPlan, GeneratorResult } from './plan.ts'
import { openConnection, requestText } from './raw-connection.ts'

// This process is the load generator of the bench. Its argument is a `GeneratorPlan`, its output a `GeneratorResult`, as JSON.
const plan = JSON.parse(argv[2] ?? '') as GeneratorPlan
const { origin, from, keys, headers, pace, query = '', sameInARow = 1 } = plan
const timeoutMs = 20_000

const idle = await Promise.all(Array.from({ length: plan.connections }, () => openConnection(origin)))
const latencies: number[] = []
const statuses: Record<string, number> = {}
const [prefix = '', suffix = ''] = requestText(origin, `/execution-contacts/@${query}`, headers).split('@')

const total = pace.kind === 'count' ? pace.requests : pace.kind === 'rate' ? pace.perSecond * pace.seconds : Infinity
const endsMs = pace.kind === 'closed-loop' ? pace.seconds * 1000 : Infinity
const gapMs = pace.kind === 'rate' ? 1000 / pace.perSecond : 0
let sent = 0
let answered = 0
const began = performance.now()

/** Sends the due requests for which a connection is free. The latency of a request counts from the moment when it was due. */
function sendDueRequests(): void {
  const elapsed = performance.now() - began
  while (idle.length > 0 && sent < total && elapsed < endsMs && sent * gapMs <= elapsed) send(sent * gapMs || elapsed)
}

function send(dueMs: number): void {
  const connection = idle.pop()
  if (!connection) return
  const number = from + (Math.floor(sent / sameInARow) % keys)
  sent += 1
  connection.ask(`${prefix}${benchId(number)}${suffix}`, ({ status }) => {
    latencies.push(performance.now() - began - dueMs)
    const word = status === 0 ? 'none' : String(status)
    statuses[word] = (statuses[word] ?? 0) + 1
    answered += 1
    if (status !== 0) idle.push(connection)
    if (pace.kind !== 'rate') sendDueRequests()
  })
}

/** A fixed rate is kept without timers, because a timer can be a millisecond late, which is as long as many responses take. */
function tick(): void {
  sendDueRequests()
  const elapsed = performance.now() - began
  const over = sent >= total || elapsed >= endsMs || idle.length + (sent - answered) === 0
  if ((over && answered === sent) || elapsed > Math.min(endsMs, total * gapMs || Infinity) + timeoutMs) finish()
  else if (pace.kind === 'rate') setImmediate(tick)
  else setTimeout(tick, 1)
}

function finish(): void {
  const sorted = Float64Array.from(latencies).sort()
  if (sent > answered) statuses.none = (statuses.none ?? 0) + sent - answered
  const result: GeneratorResult = {
    requests: answered,
    seconds: (performance.now() - began) / 1000,
    statuses,
    latencyMs: {
      p50: quantileOf(sorted, 0.5),
      p99: quantileOf(sorted, 0.99),
      p999: quantileOf(sorted, 0.999),
      max: quantileOf(sorted, 1),
    },
  }
  stdout.write(JSON.stringify(result), () => exit(0))
}

tick()
