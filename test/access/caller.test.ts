import t from 'tap'
import { mayKnowOf } from '../../src/access/caller.ts'

const flow = 'b2c0f1de-0000-4000-8000-000000000001'

t.test('a caller, when limited to flows, may know of their runs and of no others', async (t) => {
  for (const [flows, flowId, expected] of [
    [null, flow, true],
    [null, null, true],
    [new Set([flow]), flow, true],
    [new Set([flow]), flow.toUpperCase(), true],
    [new Set([flow]), flow.replace('1', '2'), false],
    [new Set([flow]), null, false],
    [new Set<string>(), flow, false],
    [new Set<string>(), null, false],
  ] as const) {
    t.equal(mayKnowOf(flows, flowId), expected)
  }
})
