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
  id: Type.String({ format: 'uuid', description: 'The id asked for, in lower case.' }),
  status: RunStatusSchema,
  statusRaw: StatusRawSchema,
  terminal: flag('The run is over: COMPLETED, CANCELED, EXPIRED or FAILED.'),
  reason: nullableText(`Why the status is what it is, if Hilos says so. ${scrubbedText}`),
  isTest: flag('A run started to try the flow out.'),
  startedAt: nullableInstant('When the contact entered the flow.'),
  statusChangedAt: nullableInstant('When the status last changed.'),
  endedAt: nullableInstant('When the run ended; null while it has not.'),
  lastActivityAt: nullableInstant('The latest of all recorded times of the run, its steps and its messages.'),
  changedBy: nullableText(`The name of the person who changed the status, if one did. ${shortenedName}`),
  executionId: nullableText('The id of the execution this run is part of, for example of a campaign.'),
  inboxContactId: nullableText('The id of the contact in the inbox.'),
  flow: FlowSchema,
  contact: ContactSchema,
  progress: ProgressSchema,
}
const timelineFields = {
  ...summaryFields,
  steps: Type.Array(refTo(StepSchema), { description: 'In the order Hilos gives them.' }),
  answers: Type.Array(refTo(AnswerSchema), {
    description: 'Of the steps that asked and were answered, in their order.',
  }),
}
const transcriptFields = {
  ...timelineFields,
  messages: Type.Array(refTo(MessageSchema), { description: 'Of all steps, oldest first.' }),
}

export const SummarySchema = Type.Object(summaryFields, {
  $id: 'ExecutionContactSummary',
  description: 'Where the run stands.',
})
export const TimelineSchema = Type.Object(timelineFields, {
  $id: 'ExecutionContactTimeline',
  description: 'The summary with the steps taken and the answers given.',
})
export const TranscriptSchema = Type.Object(transcriptFields, {
  $id: 'ExecutionContactTranscript',
  description: 'The timeline with the messages sent and received.',
})

/** One contact's run through a flow, with all that may ever leave this service: the widest view, unredacted. */
export type ExecutionContact = Static<typeof TranscriptSchema>

/** Names, field by field, what may leave of a document of Hilos. What is not named here goes no further. */
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
