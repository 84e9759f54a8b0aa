import t from 'tap'
import { noCalls, withCall } from '../../../src/upstream/calls/last-calls.ts'
import type { CallOutcome } from '../../../src/upstream/observer.ts'
import { createClock } from '../../harness/clock.ts'

const at = (seconds: number) => new Date(`2026-11-22T10:05:0${seconds}.000Z`)

t.test('the last call says whether Hilos answers, and failures count from the last answer on', async (t) => {
  const clock = createClock()
  let lastCalls = noCalls
  const rows: readonly (readonly [CallOutcome, answeredAt: number | null, failures: number])[] = [
    ['upstream_timeout', null, 1],
    ['found', 1, 0],
    ['upstream_unavailable', 1, 1],
    ['upstream_forbidden', 1, 2],
    ['absent', 4, 0],
    ['upstream_invalid_response', 4, 1],
    ['upstream_too_large', 6, 0],
  ]
  for (const [index, [outcome, answeredAt, failuresInARow]] of rows.entries()) {
    lastCalls = withCall(lastCalls, outcome, clock.now())
    t.strictSame(lastCalls, {
      ok: failuresInARow === 0,
      lastCall: { at: at(index), outcome },
      lastAnswerAt: answeredAt === null ? null : at(answeredAt),
      failuresInARow,
    })
    clock.advance(1000)
  }
})
