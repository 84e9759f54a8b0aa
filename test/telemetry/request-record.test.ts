import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { traceIdOf } from '../../src/telemetry/request-record.ts'
import { startService } from '../harness/service.ts'
import { checkRows, difference } from '../harness/table.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const rest = `${traceId}-b7ad6b7169203331-01`
const traceparent = `00-${rest}`

t.test('a well-formed traceparent names its trace', async (t) => {
  const flags = traceparent.replace(/01$/, 'ff')
  const later = [`cc-${rest}`, `fe-${rest}-`, `01-${rest}-what-the-future-will-be-like`]
  checkRows(t, [traceparent, flags, ...later], (given) => difference(traceIdOf(given), traceId), 'each names it')
})

t.test('any other traceparent names none', async (t) => {
  const malformed = [
    ...[undefined, '', [traceparent], `ff-${rest}`, `0A-${rest}`, traceparent.toUpperCase()],
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    ...[`${traceparent}-more`, `${traceparent}-`, `cc-${rest}.more`, `cc-${rest}0`],
    ...[traceparent.slice(0, -1), traceparent.slice(1), ` ${traceparent}`, `${traceparent}\n`],
    ...[traceparent.replaceAll('-', '_'), traceparent.replace('a', 'g'), traceparent.replace('b7ad6b71', 'b7ad6b7g')],
    ...[`${traceparent}, ${traceparent}`, `cc-${rest}-x, cc-${rest}-y`],
  ]
  checkRows(t, malformed, (given) => difference(traceIdOf(given), undefined), 'each names none')
})

t.test('the lines about a request name its trace, and Hilos is not told of it', async (t) => {
  const { get, logLines, sandbox } = await startService(t)
  const path = `/execution-contacts/${documentIds.ready}`
  const traces = async (headers: Record<string, string | string[]>, target = path) => {
    const before = logLines().length
    await get(target, headers)
    const lines = logLines().slice(before)
    return lines.map(({ record, traceId }) => [record, traceId])
  }
  t.strictSame(await traces({ traceparent, tracestate: 'canary=1', baggage: 'canary=1' }), [['disclosure', traceId]])
  for (const target of ['/nothing', '/execution-contacts/%zz'])
    t.strictSame(await traces({ traceparent }, target), [[undefined, traceId]])
  for (const headers of [{}, { traceparent: 'canary' }, { traceparent: [traceparent, traceparent] }])
    t.strictSame(await traces(headers), [['disclosure', undefined]])
  for (const { rawHeaders } of sandbox.requests) t.notMatch(rawHeaders.join(), /traceparent|tracestate|baggage|canary/i)
})
