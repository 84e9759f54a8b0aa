import { count, flag, nullable, nullableInstant, refTo } from '../../common/schema.ts'
import { type Static, Type } from '../../common/type.ts'
import type { HilosStepDefinition, HilosStepExecution } from '../../upstream/document/hilos-document.ts'
import { freeText, ids, listOfWords, nullableId, nullableWords, words } from './fields.ts'
import { instantOf } from './instant.ts'
import { deadlinesOf } from './progress.ts'
import { hasEnded, presentStepStatus, StatusRawSchema, StepStatusSchema } from './status.ts'

export const StepSchema = Type.Object(
  {
    id: nullableId('The id of this execution of the step.'),
    definitionId: nullableId('The id of the step in the flow.'),
    name: nullableWords('The name that the authors of the flow gave it.'),
    type: nullableWords('The kind of step, as Hilos calls it, for example QUESTION.'),
    status: refTo(StepStatusSchema),
    statusRaw: StatusRawSchema,
    reason: freeText('The reason for the status, if Hilos gives one. Always null for a step that calls a URL.'),
    reasonWithheld: flag(
      'Whether a reason is withheld, because the step calls a URL and the reason may quote the data that was sent, or ' +
        'because it repeats such a reason.',
    ),
    hasError: flag('Whether Hilos reports an error in this step.'),
    startedAt: nullableInstant('When the step started.'),
    changedAt: nullableInstant('When its status last changed.'),
    endedAt: nullableInstant('When the step ended; null until then.'),
    durationMs: nullable(
      count('Milliseconds from the start of the step to its end; null until it has ended, or if one is not known.'),
    ),
    expiresAt: nullableInstant('When Hilos stops waiting for an answer.'),
    delayUntil: nullableInstant('When the delay of the step ends.'),
    failedAttempts: count('How many answers did not pass the validation.'),
    maxAttempts: nullable(count('How many answers the contact may try; null if there is no limit.')),
    question: nullable(
      Type.Object(
        {
          answerType: words('The kind of answer, as Hilos calls it, for example SINGLE_OPTION.'),
          options: listOfWords('The options as written in the flow; empty if a variable fills them in.'),
        },
        { description: 'The question of the step; null for a step that asks nothing.' },
      ),
    ),
    messageIds: ids('The ids of the messages sent and received in this step, the oldest first.'),
  },
  { $id: 'Step', description: 'One step of the flow, as this contact went through it.' },
)

export type Step = Static<typeof StepSchema>

/**
 * @param execution with its messages in order
 * @param withheld whether its reason is withheld
 */
export function presentStep(execution: HilosStepExecution, withheld: boolean): Step {
  const definition = execution.step
  const { status, statusRaw } = presentStepStatus(execution.status)
  const { expiresAt, delayUntil } = deadlinesOf(execution)
  const endedOn = hasEnded(status) ? execution.status_last_change_on : null
  return {
    id: execution.id,
    definitionId: definition?.id ?? null,
    name: definition?.name ?? null,
    type: definition?.step_type ?? null,
    status,
    statusRaw,
    reason: withheld ? null : execution.status_reason,
    reasonWithheld: withheld,
    hasError: execution.has_error ?? false,
    startedAt: instantOf(execution.created_on),
    changedAt: instantOf(execution.status_last_change_on),
    endedAt: instantOf(endedOn),
    durationMs: durationOf(execution.created_on, endedOn),
    expiresAt: instantOf(expiresAt),
    delayUntil: instantOf(delayUntil),
    failedAttempts: execution.validation_failed_attempts ?? 0,
    maxAttempts: definition?.has_max_answer_attempts ? definition.max_answer_attempts : null,
    question: definition && questionOf(definition),
    messageIds: execution.messages.flatMap(({ id }) => id ?? []),
  }
}

/** Null for a step that ended before it started, because then one of the times is wrong. */
function durationOf(start: number | null, end: number | null): number | null {
  return start === null || end === null || end < start ? null : end - start
}

function questionOf({ answer_type, answer_options, has_options_from_variable }: HilosStepDefinition): Step['question'] {
  if (!answer_type) return null
  return { answerType: answer_type, options: has_options_from_variable ? [] : [...(answer_options ?? [])] }
}
