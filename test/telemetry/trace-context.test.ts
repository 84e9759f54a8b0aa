import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { traceIdOf } from '../../src/telemetry/trace-context.ts'
import { startService } from '../harness/service.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const traceparent = `00-${traceId}-b7ad6b7169203331-01`

t.test('a traceparent, when it is well-formed, names its trace', async (t) => {
  for (const given of [
    traceparent,
    traceparent.replace(/01$/, 'ff'),
    `cc${traceparent.slice(2)}`,
    `fe${traceparent.slice(2)}-`,
    `01${traceparent.slice(2)}-what-the-future-will-be-like`,
  ])
    t.equal(traceIdOf(given), traceId, given)
})

t.test('a traceparent, when it is not well-formed, names none', async (t) => {
  for (const given of [
    undefined,
    '',
    [traceparent],
    `ff${traceparent.slice(2)}`,
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    traceparent.toUpperCase(),
    `0A${traceparent.slice(2)}`,
    `${traceparent}-more`,
    `${traceparent}-`,
    `cc${traceparent.slice(2)}.more`,
    `cc${traceparent.slice(2)}0`,
    traceparent.slice(0, -1),
    traceparent.slice(1),
    ` ${traceparent}`,
    `${traceparent}\n`,
    traceparent.replaceAll('-', '_'),
    traceparent.replace('a', 'g'),
    traceparent.replace('b7ad6b71', 'b7ad6b7g'),
    `${traceparent}, ${traceparent}`,
    `cc${traceparent.slice(2)}-x, cc${traceparent.slice(2)}-y`,
  ])
    t.equal(traceIdOf(given), undefined, String(given))
})

t.test('the lines about a request, when it is part of a trace, name it; otherwise they name none', async (t) => {
  const { get, logLines, sandbox } = await startService(t)
  const path = `/execution-contacts/${documentIds.ready}`
  const ask = async (headers: Record<string, string | string[]>, target = path) => {
    const before = logLines().length
    await get(target, headers)
    return logLines()
      .slice(before)
      .filter(({ msg }) => msg === 'answered' || msg === 'disclosed')
  }
  const traced = await ask({ traceparent, tracestate: 'canary=1', baggage: 'canary=1' })
  t.match(traced, [
    { msg: 'disclosed', traceId },
    { msg: 'answered', traceId },
  ])
  t.match(await ask({ traceparent }, '/nothing'), [{ msg: 'answered', status: 404, traceId }])
  t.match(await ask({ traceparent }, '/execution-contacts/%zz'), [{ msg: 'answered', status: 400, traceId }])
  for (const headers of [{}, { traceparent: 'canary' }, { traceparent: [traceparent, traceparent] }]) {
    const lines = await ask(headers)
    t.equal(lines.length, 2)
    for (const line of lines) t.notOk('traceId' in line)
  }
  for (const { rawHeaders } of sandbox.requests) t.notMatch(rawHeaders.join(), /traceparent|tracestate|baggage|canary/i)
})
