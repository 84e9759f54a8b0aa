import { type View, views } from '../../src/presentation/views/view.ts'
import type { ContractName } from './canary-document.ts'

/** The paths of these names under each parent. */
const under = (parents: readonly string[], names: string) =>
  parents.flatMap((parent) =>
    names
      .trim()
      .split(/\s+/)
      .map((name) => `${parent}.${name}`),
  )
const steps = [0, 1, 2].map((index) => `execution_steps[${index}]`)
const [actionStep = '', quietStep = '', silentStep = ''] = steps
const outbound = [actionStep, quietStep].map((step) => `${step}.messages[0].message`)
const inbound = [actionStep, quietStep].map((step) => `${step}.messages[1].message`)

/**
 * Every path that a response may contain, in the names of the given contract, under the first view that has it. A field is
 * published by adding it to this list.
 */
const listed: Readonly<Record<View, readonly string[]>> = {
  summary: [
    ...under(['contact'], 'canonical_phone email first_name id last_name'),
    ...under(['flow'], 'channel.name id name'),
    ...under(['flow_version'], 'id version_name'),
    ...under(['status_triggered_by'], 'first_name last_name'),
    ...['created_on', 'flow_execution', 'inbox_contact_id', 'status_last_change_on', 'status_reason'],
    // The current step, what it is, and when its wait for an answer ends.
    ...under([quietStep], 'id expire_on step.name'),
  ],
  timeline: [
    ...under(steps, 'id created_on expire_on status_last_change_on validation_failed_attempts'),
    ...under(steps, 'step.id step.name step.answer_type step.answer_options[0] step.answer_options[1]'),
    ...under(steps, 'step.max_answer_attempts step.delay_until'),
    ...[`${actionStep}.step.step_type`, `${quietStep}.status_reason`, `${silentStep}.status_reason`],
    // The answers, and the ids of the messages of a step.
    ...[...under(inbound, 'id body timestamp'), ...under(outbound, 'id'), `${silentStep}.execution_result`],
  ],
  transcript: [
    ...under(outbound, 'body timestamp'),
    ...under([...outbound, ...inbound], 'queued_on accepted_on sent_on delivered_on read_on failed_on failed_attempts'),
    ...under([...outbound, ...inbound], 'sent_by.first_name sent_by.last_name'),
    ...under([...outbound, ...inbound], 'location.address location.place_name location.latitude location.longitude'),
    ...under([...outbound, ...inbound], 'whatsapp_template.name whatsapp_template.language context_message.id'),
  ],
}

/** The same path in the earlier contract; null when it has none. */
function inEarlierContract(given: string): string | null {
  if (/^(inbox_contact_id|status_last_change_on|status_triggered_by)/.test(given)) return null
  return given
    .replace(/^status_reason$/, 'reason')
    .replace(/\.status_reason$/, '.last_error_detail')
    .replace(/^flow_execution$/, 'flow_execution.id')
    .replace(/^(flow|flow_version)\./, 'flow_execution.$1.')
    .replace(/context_message\.id$/, 'context_message')
}

/** The paths that a view of the document of `plantCanaries` may contain, in alphabetical order. */
export function mayLeave(contract: ContractName, view: View): string[] {
  const paths = views.slice(0, views.indexOf(view) + 1).flatMap((each) => listed[each])
  const named = contract === 'given' ? paths : paths.flatMap((given) => inEarlierContract(given) ?? [])
  return [...new Set(named)].sort()
}

/**
 * Further paths that a response may contain, in the names of the given contract, although the document of `plantCanaries`
 * has no canary for them: literals, fallbacks, and the deadline that is the later one there.
 */
const furtherListed: Readonly<Record<View, readonly string[]>> = {
  summary: [
    ...['contact.phone', 'status', 'flow.trigger_type', 'flow.channel.channel_type', 'execution_steps[].expire_on'],
    ...['flow_execution.execution_type', 'execution_steps[].step.delay_until'],
    'execution_steps[].step.step_type',
  ],
  // A place can be an answer.
  timeline: [
    'execution_steps[].status',
    ...under(['execution_steps[].messages[].message.location'], 'place_name address'),
  ],
  // Only a message that failed has an error.
  transcript: ['execution_steps[].messages[].message.provider_error_code'],
}

/** The path without indexes: `execution_steps[].messages[].message.id`. */
const ofAnyElement = (path: string) => path.replace(/\[\d+\]/g, '[]')

/** The paths that a view of any document of either contract may contain, in any state. */
export function mayEverLeave(view: View): ReadonlySet<string> {
  const further = views.slice(0, views.indexOf(view) + 1).flatMap((each) => furtherListed[each])
  const earlier = further.flatMap((given) => inEarlierContract(given) ?? [])
  const both = [...mayLeave('given', view), ...mayLeave('earlier', view), ...further, ...earlier]
  return new Set(both.map(ofAnyElement))
}
