import t from 'tap'
import { createLifecycle } from '../../src/lifecycle/lifecycle.ts'

t.test('the state never goes back', async (t) => {
  for (const [events, state] of [
    [[], 'starting'],
    [['serve'], 'serving'],
    [['serve', 'drain'], 'draining'],
    [['drain'], 'draining'],
    [['drain', 'serve'], 'draining'],
    [['serve', 'drain', 'serve', 'drain'], 'draining'],
  ] as const) {
    const lifecycle = createLifecycle()
    for (const event of events) lifecycle[event]()
    t.equal(lifecycle.state(), state, events.join(', '))
  }
})
