import { Failure } from '../../failures/failure.ts'
import { executionContact } from './contract.ts'
import type { ReportDrift } from './drift.ts'
import type {
  HilosContact,
  HilosDocument,
  HilosMessage,
  HilosStepDefinition,
  HilosStepExecution,
  RawContact,
  RawDocument,
  RawMessage,
  RawStepDefinition,
  RawStepExecution,
} from './hilos-document.ts'
import { isObject } from './shape.ts'

/**
 * Reads parsed JSON as a flow execution contact. The reader is tolerant: it ignores unknown fields and replaces values of the
 * wrong type with null, and reports both as drift. If the two published versions have different names for a field, the first
 * one with a value counts.
 * @param requestedId in lower case
 * @throws Failure `upstream_invalid_response` for a document without steps and contact, or with another id
 */
export function readDocument(json: unknown, requestedId: string, drift: ReportDrift): HilosDocument {
  if (!isObject(json) || !(Array.isArray(json.execution_steps) || isObject(json.contact)))
    throw new Failure('upstream_invalid_response', { facts: { reason: 'below the structural minimum' } })
  const given = json.id ?? requestedId
  if (typeof given !== 'string' || given.toLowerCase() !== requestedId)
    throw new Failure('upstream_invalid_response', { facts: { reason: 'another id than the requested one' } })

  const { reason, flow_execution, ...run } = executionContact(json, drift) as RawDocument
  const execution = flow_execution.object
  return {
    ...run,
    id: requestedId,
    status_reason: run.status_reason ?? reason,
    flow_execution: flow_execution.id,
    flow: flowOf(run.flow ?? execution?.flow ?? null, execution?.execution_type ?? null),
    flow_version: run.flow_version ?? execution?.flow_version ?? null,
    contact: run.contact && contactOf(run.contact),
    execution_steps: run.execution_steps?.map(stepOf) ?? [],
  }
}

function flowOf(flow: RawDocument['flow'], executionType: string | null): HilosDocument['flow'] {
  if (flow === null && executionType === null) return null
  const { id = null, name = null, channel = null, trigger_type = null } = flow ?? {}
  return { id, name, channel, trigger_type: trigger_type ?? executionType }
}

function contactOf({ canonical_phone, ...contact }: RawContact): HilosContact {
  return { ...contact, phone: canonical_phone ?? contact.phone }
}

function stepOf({ last_error_detail, step, messages, ...execution }: RawStepExecution): HilosStepExecution {
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
}: RawStepDefinition): HilosStepDefinition {
  return { ...definition, has_action_request: method || url }
}

function messageOf({ content_url, contacts, ...message }: RawMessage): HilosMessage {
  return { ...message, has_content_url: content_url, shared_contacts: contacts }
}

/**
 * How many steps and messages a parsed document has. A limit of bytes does not limit the work enough: a step that is `{}`
 * upstream has a few hundred bytes once all its public fields are written.
 */
export function elementsIn(json: unknown): number {
  const steps = arrayAt(json, 'execution_steps')
  return steps.reduce<number>((count, step) => count + arrayAt(step, 'messages').length, steps.length)
}

function arrayAt(value: unknown, name: string): readonly unknown[] {
  const array = isObject(value) ? value[name] : null
  return Array.isArray(array) ? array : []
}
