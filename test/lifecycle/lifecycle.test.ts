import t from 'tap'
import { createLifecycle } from '../../src/lifecycle/lifecycle.ts'

t.test('a lifecycle, whatever it is told, goes forward only', async (t) => {
  for (const [told, state] of [
    [[], 'starting'],
    [['serve'], 'serving'],
    [['serve', 'drain'], 'draining'],
    [['drain'], 'draining'],
    [['drain', 'serve'], 'draining'],
    [['serve', 'drain', 'serve', 'drain'], 'draining'],
  ] as const) {
    const lifecycle = createLifecycle()
    for (const event of told) lifecycle[event]()
    t.equal(lifecycle.state(), state, told.join(', '))
  }
})

t.test('a lifecycle, when requests begin and end, says how many are in flight', async (t) => {
  const { requestBegan, requestEnded, requestsInFlight } = createLifecycle()
  t.equal(requestsInFlight(), 0)
  requestBegan()
  requestBegan()
  t.equal(requestsInFlight(), 2)
  requestEnded()
  t.equal(requestsInFlight(), 1)
})
