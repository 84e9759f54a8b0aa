import type { Secret } from '../../common/secret.ts'
import { Failure } from '../../failures/failure.ts'
import { jsonOf } from '../transport/parse-json.ts'
import { withoutTokens } from '../transport/token-leak.ts'
import { executionContact } from './contract.ts'
import type { ReportDrift } from './drift.ts'
import type { HilosDocument, HilosStepExecution, RawDocument, RawStepExecution } from './hilos-document.ts'
import { isObject } from './shape.ts'

/** A document as it arrived, decoded. */
export interface UnreadDocument {
  readonly bytes: Buffer
  /** The requested id, in lower case. */
  readonly id: string
  /** The tokens that it must not contain. */
  readonly tokens: readonly Secret[]
}

/**
 * Searches a document for our tokens, and reads it.
 * @param maxElements most steps, messages and options of questions that it may have
 * @throws Failure `upstream_invalid_response` or `upstream_too_large`
 */
export function readBytes(
  { bytes, id, tokens }: UnreadDocument,
  maxElements: number,
  drift: ReportDrift,
): HilosDocument {
  const json = jsonOf(withoutTokens(bytes, tokens))
  if (elementsIn(json) > maxElements) throw new Failure('upstream_too_large', { facts: { maxElements } })
  return readDocument(json, id, drift)
}

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
    execution_steps: run.execution_steps?.map(stepOf) ?? [],
  }
}

function flowOf(flow: RawDocument['flow'], executionType: string | null): HilosDocument['flow'] {
  if (flow === null && executionType === null) return null
  const { id = null, name = null, channel = null, trigger_type = null } = flow ?? {}
  return { id, name, channel, trigger_type: trigger_type ?? executionType }
}

function stepOf({ last_error_detail, messages, ...execution }: RawStepExecution): HilosStepExecution {
  return {
    ...execution,
    status_reason: execution.status_reason ?? last_error_detail,
    messages: messages?.flatMap(({ message }) => message ?? []) ?? [],
  }
}

/**
 * How many steps, messages and options of questions a parsed document has. A limit of bytes does not limit the work enough:
 * a step that is `{}` upstream has a few hundred bytes once all its public fields are written, and each option is a text to
 * look through.
 */
export function elementsIn(json: unknown): number {
  const steps = arrayAt(json, 'execution_steps')
  const elementsOf = (execution: unknown) => {
    const definition = isObject(execution) ? execution.step : null
    return 1 + arrayAt(execution, 'messages').length + arrayAt(definition, 'answer_options').length
  }
  return steps.reduce<number>((count, step) => count + elementsOf(step), 0)
}

function arrayAt(value: unknown, name: string): readonly unknown[] {
  const array = isObject(value) ? value[name] : null
  return Array.isArray(array) ? array : []
}
