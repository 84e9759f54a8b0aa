import { type Static, Type } from 'typebox'
import { flag, nullableInstant, nullableText, refTo, scrubbedText, shortenedName } from '../../common/schema.ts'
import type { HilosDocument, HilosStepExecution } from '../../upstream/document/hilos-document.ts'
import { AnswerSchema, presentAnswer } from './answer.ts'
import { type ContactOptions, ContactSchema, nameOf, presentContact } from './contact.ts'
import { FlowSchema, presentFlow } from './flow.ts'
import { instantOf, latestOf } from './instant.ts'
import { chronological, type Message, MessageSchema, presentMessage } from './message.ts'
import { ProgressSchema, presentProgress } from './progress.ts'
import { isTerminal, presentRunStatus, RunStatusSchema, StatusRawSchema } from './status.ts'
import { presentStep, StepSchema } from './step.ts'

const summaryFields = {
  id: Type.String({ format: 'uuid', description: 'The id from the path, in lower case.' }),
  status: RunStatusSchema,
  statusRaw: StatusRawSchema,
  terminal: flag('Whether the run has ended: COMPLETED, CANCELED, EXPIRED or FAILED.'),
  reason: nullableText(`The reason for the status, if Hilos gives one. ${scrubbedText}`),
  isTest: flag('Whether the run was started to test the flow.'),
  startedAt: nullableInstant('When the contact entered the flow.'),
  statusChangedAt: nullableInstant('When the status last changed.'),
  endedAt: nullableInstant('When the run ended; null until then.'),
  lastActivityAt: nullableInstant('The latest recorded time of the run, its steps and its messages.'),
  changedBy: nullableText(`The name of the person who changed the status; null if no person did. ${shortenedName}`),
  executionId: nullableText('The id of the execution that this run is part of, for example a campaign.'),
  inboxContactId: nullableText('The id of the contact in the inbox.'),
  flow: FlowSchema,
  contact: ContactSchema,
  progress: ProgressSchema,
}
const timelineFields = {
  ...summaryFields,
  steps: Type.Array(refTo(StepSchema), {
    description: 'The steps that the contact has reached, in the order of Hilos.',
  }),
  answers: Type.Array(refTo(AnswerSchema), {
    description: 'One answer for each step that asked and was answered, in the order of the steps.',
  }),
}
const transcriptFields = {
  ...timelineFields,
  messages: Type.Array(refTo(MessageSchema), { description: 'The messages of all steps, the oldest first.' }),
}

export const SummarySchema = Type.Object(summaryFields, {
  $id: 'ExecutionContactSummary',
  description: 'The state of the run.',
})
export const TimelineSchema = Type.Object(timelineFields, {
  $id: 'ExecutionContactTimeline',
  description: 'The summary, the steps and the answers.',
})
export const TranscriptSchema = Type.Object(transcriptFields, {
  $id: 'ExecutionContactTranscript',
  description: 'The timeline and the messages.',
})

/** The widest view, unredacted: all data of one contact's run through a flow that may leave this service. */
export type ExecutionContact = Static<typeof TranscriptSchema>

/** Copies the data that may leave this service, field by field. A field that is not named here never leaves it. */
export function presentExecutionContact(document: HilosDocument, options: ContactOptions): ExecutionContact {
  const steps = document.execution_steps
  const { status, statusRaw } = presentRunStatus(document.status)
  const terminal = isTerminal(status)
  return {
    id: document.id,
    status,
    statusRaw,
    terminal,
    reason: document.status_reason,
    isTest: document.is_test ?? false,
    startedAt: instantOf(document.created_on),
    statusChangedAt: instantOf(document.status_last_change_on),
    endedAt: terminal ? instantOf(document.status_last_change_on) : null,
    lastActivityAt: instantOf(lastActivity(document)),
    changedBy: document.status_triggered_by && nameOf(document.status_triggered_by),
    executionId: document.flow_execution,
    inboxContactId: document.inbox_contact_id,
    flow: presentFlow(document),
    contact: presentContact(document.contact, options),
    progress: presentProgress(steps, terminal),
    steps: steps.map(presentStep),
    answers: steps.flatMap((step) => presentAnswer(step) ?? []),
    messages: presentMessages(steps),
  }
}

function presentMessages(steps: readonly HilosStepExecution[]): Message[] {
  const stepIds = new Map(steps.flatMap(({ id, messages }) => messages.map((message) => [message, id] as const)))
  return chronological([...stepIds.keys()]).map((message) => presentMessage(message, stepIds.get(message) ?? null))
}

function lastActivity({ created_on, status_last_change_on, execution_steps }: HilosDocument): number | null {
  return latestOf([
    created_on,
    status_last_change_on,
    ...execution_steps.flatMap((step) => [
      step.created_on,
      step.status_last_change_on,
      ...step.messages.flatMap((message) => [
        message.timestamp,
        message.queued_on,
        message.accepted_on,
        message.sent_on,
        message.delivered_on,
        message.read_on,
        message.failed_on,
      ]),
    ]),
  ])
}
