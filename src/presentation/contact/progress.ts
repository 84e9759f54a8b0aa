import { count, nullable, nullableInstant, oneOf } from '../../common/schema.ts'
import { type Static, Type } from '../../common/type.ts'
import type { HilosStepExecution } from '../../upstream/document/hilos-document.ts'
import { nullableId, nullableWords } from './fields.ts'
import { instantOf } from './instant.ts'
import { isBegun, presentStepStatus } from './status.ts'

const theCurrentStep =
  'the current step: the last one that is running, otherwise the last one that waits to start; null without either, and ' +
  'after the end of the run.'

export const ProgressSchema = Type.Object(
  {
    steps: count('How many steps the contact has begun.'),
    notBegun: count('How many further steps Hilos names that were not begun: planned, or left out on the way taken.'),
    completed: count('How many steps are completed.'),
    failed: count('How many steps failed.'),
    currentStepId: nullableId(`The id of ${theCurrentStep}`),
    currentStep: nullable(
      Type.Object(
        {
          id: nullableId('The id of this execution of the step.'),
          name: nullableWords('The name that the authors of the flow gave it.'),
          type: nullableWords('The kind of step, as Hilos calls it, for example QUESTION.'),
        },
        { description: `Id, name and type of ${theCurrentStep}` },
      ),
    ),
    waitingFor: nullable(oneOf(['ANSWER', 'DELAY'], 'What the current step waits for; null if it waits for neither.')),
    expiresAt: nullableInstant(
      'When Hilos stops waiting for an answer, or the delay ends; in another step, when it expires. Null if that is not known.',
    ),
  },
  { $id: 'Progress', description: 'How far the run has got.' },
)

export type Progress = Static<typeof ProgressSchema>

/** @param steps in order */
export function presentProgress(steps: readonly HilosStepExecution[], terminal: boolean): Progress {
  const current = terminal ? undefined : currentOf(steps)
  const begun = steps.filter(({ status }) => isBegun(presentStepStatus(status).status))
  return {
    steps: begun.length,
    notBegun: steps.length - begun.length,
    completed: steps.filter(({ status }) => status === 'COMPLETED').length,
    failed: steps.filter(({ status }) => status === 'FAILED').length,
    currentStepId: current?.id ?? null,
    currentStep: current
      ? { id: current.id, name: current.step?.name ?? null, type: current.step?.step_type ?? null }
      : null,
    waitingFor: current ? waitOf(current) : null,
    expiresAt: current ? instantOf(endOfWait(current)) : null,
  }
}

/** The last running step, otherwise the last one that waits to start. */
function currentOf(steps: readonly HilosStepExecution[]): HilosStepExecution | undefined {
  return (
    steps.findLast(({ status }) => status === 'RUNNING') ??
    steps.findLast(({ status }) => status === 'WAITING_TO_START')
  )
}

function waitOf(execution: HilosStepExecution): Progress['waitingFor'] {
  if (execution.status !== 'RUNNING') return null
  if (execution.step?.answer_type) return 'ANSWER'
  return isDelay(execution) ? 'DELAY' : null
}

/** A step that asks can keep a delay from another use. */
function endOfWait(execution: HilosStepExecution): number | null {
  const { expiresAt, delayUntil } = deadlinesOf(execution)
  return execution.step?.answer_type ? expiresAt : (delayUntil ?? expiresAt)
}

function isDelay(execution: HilosStepExecution): boolean {
  return deadlinesOf(execution).delayUntil !== null || execution.step?.step_type?.toUpperCase() === 'DELAY'
}

/** The deadlines of a step, in milliseconds since 1970 UTC. One that had passed when the step began is left over. */
export function deadlinesOf({ created_on, expire_on, step }: HilosStepExecution) {
  const unlessLeftOver = (ms: number | null) => (ms !== null && created_on !== null && ms <= created_on ? null : ms)
  return { expiresAt: unlessLeftOver(expire_on), delayUntil: unlessLeftOver(step?.delay_until ?? null) }
}
