import type { Test } from 'tap'
import { executionContact, uuid } from '../../sandbox/parts.ts'
import { noCallInFlight } from '../harness/calls.ts'
import { type Arrangement, startService } from '../harness/service.ts'
import { createTimers } from '../harness/timers.ts'

export const startMs = Date.parse('2026-11-22T10:05:00Z')
export const id = uuid(0xe7e, 1)
export const path = `/execution-contacts/${id}`
/** Two flows. The run belongs to the first. */
export const [ours, theirs] = [uuid(0xf1, 1), uuid(0xf1, 2)]

/** The document of a run that changed a moment ago, so it is asked about every three seconds. */
export const movingRun = (changes: object = {}) =>
  executionContact(id, { status_last_change_on: '2026-11-22T10:04:50Z', ...changes })

/** The real service and the sandbox with this run, and a clock with its timers. */
export async function startWithMovingRun(t: Test, arrangement: Arrangement = {}) {
  const clock = createTimers(startMs)
  const running = await startService(t, { clock, ...arrangement })
  let changes: object = {}
  running.sandbox.documents.set(id, () => movingRun(changes))
  /** Changes the document. */
  const change = (next: object) => {
    changes = next
  }
  /** Moves the clock, and lets each call end before the next second. */
  const pass = async (seconds: number) => {
    for (let passed = 0; passed < seconds; passed += 1) {
      await clock.advance(1000)
      await noCallInFlight(running.service)
    }
  }
  return { ...running, clock, change, pass }
}
