import t from 'tap'
import { maySee } from '../../src/access/caller.ts'
import { checkRows, difference } from '../harness/table.ts'

const flow = 'b2c0f1de-0000-4000-8000-000000000001'

t.test('a caller who is limited to flows may see their runs and no others', async (t) => {
  const cases = [
    [null, flow, true],
    [null, null, true],
    [new Set([flow]), flow, true],
    [new Set([flow]), flow.toUpperCase(), true],
    [new Set([flow]), flow.replace('1', '2'), false],
    [new Set([flow]), null, false],
    [new Set<string>(), flow, false],
    [new Set<string>(), null, false],
  ] as const
  checkRows(t, cases, ([flows, flowId, expected]) => difference(maySee(flows, flowId), expected), 'each flow')
})
