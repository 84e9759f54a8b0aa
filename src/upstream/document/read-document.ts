import { Failure } from '../../failures/failure.ts'
import { executionContact } from './contract.ts'
import type { ReportDrift } from './drift.ts'
import type { HilosContact, HilosDocument, HilosMessage, HilosStepExecution } from './hilos-document.ts'
import { isObject } from './shape.ts'

type Raw = NonNullable<ReturnType<typeof executionContact>>
type RawStep = NonNullable<Raw['execution_steps']>[number]
type RawMessage = NonNullable<NonNullable<RawStep['messages']>[number]['message']>

/**
 * Reads parsed JSON as a flow execution contact, tolerantly: what is unknown is ignored, what has the wrong type is
 * null, both are reported. Where the two published versions name a thing differently, the first that is there counts.
 * @param requestedId in lower case
 * @throws Failure `upstream_invalid_response` for a document below the structural minimum, or about another id
 */
export function readDocument(json: unknown, requestedId: string, drift: ReportDrift): HilosDocument {
  if (!isObject(json) || !(Array.isArray(json.execution_steps) || isObject(json.contact)))
    throw new Failure('upstream_invalid_response', { facts: { reason: 'below the structural minimum' } })
  const given = json.id ?? requestedId
  if (typeof given !== 'string' || given.toLowerCase() !== requestedId)
    throw new Failure('upstream_invalid_response', { facts: { reason: 'another id than the requested one' } })

  const raw = executionContact(json, drift) as Raw
  const execution = raw.flow_execution.object
  return {
    id: requestedId,
    status: raw.status,
    status_reason: raw.status_reason ?? raw.reason,
    created_on: raw.created_on,
    status_last_change_on: raw.status_last_change_on,
    status_triggered_by: raw.status_triggered_by,
    is_test: raw.is_test,
    inbox_contact_id: raw.inbox_contact_id,
    flow_execution: raw.flow_execution.id,
    flow: flowOf(raw.flow ?? execution?.flow ?? null, execution?.execution_type ?? null),
    flow_version: raw.flow_version ?? execution?.flow_version ?? null,
    contact: raw.contact && contactOf(raw.contact),
    execution_steps: raw.execution_steps?.map(stepOf) ?? [],
  }
}

function flowOf(flow: Raw['flow'], executionType: string | null): HilosDocument['flow'] {
  if (flow === null && executionType === null) return null
  const { id = null, name = null, channel = null, trigger_type = null } = flow ?? {}
  return { id, name, channel, trigger_type: trigger_type ?? executionType }
}

function contactOf({ canonical_phone, ...contact }: NonNullable<Raw['contact']>): HilosContact {
  return { ...contact, phone: canonical_phone ?? contact.phone }
}

function stepOf({ last_error_detail, step, messages, ...execution }: RawStep): HilosStepExecution {
  return {
    ...execution,
    status_reason: execution.status_reason ?? last_error_detail,
    step: step && definitionOf(step),
    messages: messages?.flatMap(({ message }) => (message === null ? [] : [messageOf(message)])) ?? [],
  }
}

function definitionOf({
  action_request_method: method,
  action_request_url: url,
  ...definition
}: NonNullable<RawStep['step']>): HilosStepExecution['step'] {
  return { ...definition, has_action_request: method || url }
}

function messageOf({ content_url, contacts, ...message }: RawMessage): HilosMessage {
  return { ...message, has_content_url: content_url, shared_contacts: contacts }
}
