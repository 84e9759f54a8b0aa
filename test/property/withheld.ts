import type { View } from '../../src/presentation/views/view.ts'
import { canariesAt } from './canaries.ts'

type Part = Readonly<Record<string, unknown>>

/**
 * The canaries of a document that must not leave in a view although their path may. These are the rules of the README and
 * of the schemas, written independently of src/.
 */
export function withheldIn(document: unknown, view: View): ReadonlySet<string> {
  const { contact, execution_steps } = isObject(document) ? document : {}
  const parts = [
    isObject(contact) && isErased(contact) ? contact : null,
    ...objectsIn(execution_steps).flatMap((step) => withheldOfStep(step, view)),
  ]
  return new Set(canariesAt(parts).map(({ canary }) => canary))
}

function withheldOfStep(step: Part, view: View): unknown[] {
  const { status_reason, last_error_detail, execution_result } = step
  const messages = objectsIn(step.messages)
    .map(({ message }) => message)
    .filter(isObject)
  const erased = messages.filter(isErased).flatMap(({ body, location }) => [body, location])
  const definition = isObject(step.step) ? step.step : null
  return [
    ...erased,
    // In a timeline, the only texts of messages are answers.
    ...(view === 'timeline' ? messages.filter(isOutbound).map(({ body }) => body) : []),
    ...(mayCallUrl(definition) ? [status_reason, last_error_detail, execution_result] : []),
    ...(definition?.has_options_from_variable === true ? [definition.answer_options] : []),
  ]
}

/** The reason and the result of such a step can quote a request. A step without a type counts as one. */
function mayCallUrl(definition: Part | null): boolean {
  if (definition === null || typeof definition.step_type !== 'string') return true
  const { action_request_method: method, action_request_url: url, step_type: type } = definition
  return [method ?? '', url ?? ''].some((value) => value !== '') || /action|api|http|hook|request/i.test(type)
}

const isOutbound = ({ direction }: Part) =>
  typeof direction === 'string' && /^(out(bound|going)?|sent)$/i.test(direction)

/** Any value other than false, null or none means deleted. */
const isErased = ({ is_deleted }: Part) => (is_deleted ?? false) !== false

const isObject = (value: unknown): value is Part => typeof value === 'object' && value !== null && !Array.isArray(value)

const objectsIn = (value: unknown): readonly Part[] =>
  Array.isArray(value) ? (value as unknown[]).filter(isObject) : []
