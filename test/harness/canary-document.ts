/**
 * A second description of Hilos's contract, written from its two published versions and independent of `src/upstream`, so
 * that the leak proof does not depend on the code that it tests.
 */

/** A value that a document needs in order to be read, so it is no canary. */
export class Literal {
  readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
}
const is = (value: unknown) => new Literal(value)

export type Kind = 'text' | 'uuid' | 'instant' | 'count' | 'decimal' | 'json'
export type Shape = Kind | Literal | readonly Shape[] | { readonly [name: string]: Shape }

const all = (kind: Kind, names: string): Record<string, Kind> =>
  Object.fromEntries(
    names
      .trim()
      .split(/\s+/)
      .map((name) => [name, kind]),
  )

const user: Shape = { ...all('text', 'first_name last_name email profile_image'), ...all('count', 'id role') }
const channel: Shape = {
  ...all('text', 'name channel_id status channel_provider'),
  id: 'count',
  created_on: 'instant',
  channel_type: is('WHATSAPP'),
  is_sandbox: is(false),
}
const flow: Shape = {
  ...all('uuid', 'id current_version test_version upgrade_version legacy_version'),
  ...all('text', 'name status avg_completion_time'),
  ...all('count', 'num_contacts expired running completed canceled failed'),
  created_by: user,
  created_on: 'instant',
  channel,
  trigger_config: 'json',
  trigger_type: is('OTHER'),
  ...{ is_active: is(true), is_legacy: is(false), needs_update: is(false), is_template: is(false) },
}
const flowVersion: Shape = {
  ...all('text', 'version_name version_description avg_completion_time'),
  ...all('instant', 'created_on last_updated_on'),
  ...all('count', 'num_contacts completed expired running canceled failed'),
  id: 'uuid',
  published_by: user,
  is_current_version: is(true),
}
const contact: Shape = {
  ...all('text', 'first_name last_name email canonical_phone phone id source external_url'),
  ...all('instant', 'created_on last_updated_on'),
  meta: 'json',
  is_deleted: is(false),
}
const location: Shape = {
  ...all('text', 'address place_name place_url map_screenshot_url'),
  ...all('decimal', 'latitude longitude'),
}
const template: Shape = {
  ...all('text', 'name language category status rejected_reason'),
  id: 'uuid',
  components: 'json',
  channel,
  ...{ is_deleted: is(false), show_in_sandbox: is(false) },
}
const card: Shape = {
  ...{
    addresses: ['json'],
    emails: ['json'],
    ims: ['json'],
    phones: ['json'],
    urls: ['text'],
    name: 'json',
    org: 'json',
  },
}
const bareMessage: Record<string, Shape> = {
  ...all(
    'text',
    'id to_number from_number body contact provider_id provider_error_code provider_error_message content_url',
  ),
  ...all('instant', 'timestamp queued_on accepted_on sent_on delivered_on read_on failed_on'),
  failed_attempts: 'count',
  status: is('read'),
  sent_by: user,
  content: 'json',
  whatsapp_template: template,
  content_type: is('image/jpeg'),
  msg_type: is('image'),
  location,
  contacts: [card, card],
  source: is('FLOW'),
  is_deleted: is(false),
}
const message = (direction: string, context: Shape = bareMessage): Shape => ({
  message: { ...bareMessage, direction: is(direction), context_message: context },
})
const definition: Record<string, Shape> = {
  ...all(
    'uuid',
    `flow_version id next_step_default next_step_alternate answer_failed_next_step action_test_response_data
     whatsapp_template next_flow`,
  ),
  ...all(
    'text',
    `name step_type answer_type body body_type body_file_url body_file_type answer_validation_message
     answer_instructions answer_phone_default_country delay_type action_request_method action_request_url
     action_request_body answer_range_min answer_range_max option_from_variable_value options_from_variable
     option_from_variable_title option_from_variable_description missing_options_message answer_options_render
     answer_options_render_list_button_title max_wait_time_unit time_window_type contact_first_name contact_last_name
     contact_email contact_external_url firstname lastname email next_action`,
  ),
  ...all(
    'count',
    `next_step_default_idx next_step_alternate_idx ordering_idx max_wait_time_amount max_answer_attempts
     answer_failed_next_step_idx`,
  ),
  ...all('json', 'action_request_headers action_request_params whatsapp_template_variables'),
  delay_until: 'instant',
  ...{ next_steps_for_options: ['uuid'], next_steps_for_options_idx: ['count'], assign_to_users: ['count'] },
  ...{ assign_to_teams: ['count'], answer_options: ['text', 'text'], answer_option_descriptions: ['text'] },
  ...{ contact_tags: ['text'], conversation_tags: ['text'], custom_properties: ['text'] },
  body_file: { ...all('text', 'url uploaded_file content_type original_name'), id: 'uuid' },
  conditions: [{ ...all('text', 'field comparison value'), id: 'count' }],
  paths: [{ conditions: [{ ...all('text', 'field comparison value'), id: 'count' }] }],
  time_windows: [{ ...all('text', 'start_at end_at'), weekday: 'count', is_available: is(true) }],
  contact_custom_properties: [all('text', 'key value')],
  ...{ answer_allow_decimals: is(false), answer_has_range: is(true), has_options_from_variable: is(false) },
  ...{ append_tags: is(true), has_max_wait_time: is(true), set_time_window: is(true), save_contact_answer: is(true) },
  ...{ has_max_answer_attempts: is(true), validate_answer_with_buttons: is(true) },
}
/** A step that makes no HTTP request, so its status reason may be shown. */
const quietDefinition: Shape = {
  ...definition,
  ...{ step_type: is('QUESTION'), action_request_method: is(null), action_request_url: is(null) },
}
const execution: Record<string, Shape> = {
  id: 'uuid',
  // Each instant is later than the one before it, and a deadline is later than the beginning.
  created_on: 'instant',
  step: definition,
  ...all('instant', 'expire_on status_last_change_on'),
  validation_failed_attempts: 'count',
  ...{ execution_result: 'json', request_data: 'json' },
  messages: [message('OUTBOUND'), message('INBOUND')],
  has_error: is(false),
  status: is('COMPLETED'),
}
const givenExecution: Record<string, Shape> = { ...execution, status_reason: 'text', status_triggered_by: 'count' }
const earlierExecution: Record<string, Shape> = {
  ...execution,
  last_error_detail: 'text',
  messages: [message('OUTBOUND', 'text'), message('INBOUND', 'text')],
}
const quiet = { step: quietDefinition, status: is('RUNNING') }
const silent = { step: quietDefinition, messages: [], execution_result: 'text' } as const

const given: Shape = {
  contact,
  status: is('RUNNING'),
  execution_steps: [givenExecution, { ...givenExecution, ...quiet }, { ...givenExecution, ...silent }],
  ...all('instant', 'created_on status_last_change_on'),
  ...all('uuid', 'flow_execution inbox_contact_id'),
  status_reason: 'text',
  flow,
  flow_version: flowVersion,
  status_triggered_by: user,
  is_test: is(false),
}
const earlier: Shape = {
  contact,
  status: is('PAUSED'),
  execution_steps: [earlierExecution, { ...earlierExecution, ...quiet }, { ...earlierExecution, ...silent }],
  created_on: 'instant',
  reason: 'text',
  flow_execution: {
    id: 'uuid',
    ...{ status: 'text', variables: 'json', filters: 'json', execution_type: is('OTHER') },
    flow,
    flow_version: flowVersion,
  },
}

export const contracts = { given, earlier }
export type ContractName = keyof typeof contracts

export interface CanaryDocument {
  readonly document: Record<string, unknown>
  /** Each canary as a response would show it, by its path, for example `execution_steps[0].step.body`. */
  readonly canaries: ReadonlyMap<string, string>
}

/**
 * Creates a document in which every leaf is a different canary.
 * @param typed whether canaries have the types of the contract; otherwise every leaf is a text
 */
export function plantCanaries(contract: ContractName, id: string, typed: boolean): CanaryDocument {
  const canaries = new Map<string, string>()

  function leaf(kind: Kind, path: string): unknown {
    const number = canaries.size + 1
    const text = `canary-${number.toString().padStart(4, '0')}`
    if (kind === 'json')
      return { nested: [leaf('text', `${path}.nested`)], [`key_${number}`]: leaf('count', `${path}.key`) }
    const value = typed ? typedCanary(kind, number, text) : text
    canaries.set(path, String(value))
    return value
  }

  function plant(shape: Shape, path: string): unknown {
    if (typeof shape === 'string') return leaf(shape, path)
    if (shape instanceof Literal) return shape.value
    if (Array.isArray(shape)) return shape.map((element, index) => plant(element, `${path}[${index}]`))
    const entries = Object.entries(shape).map(([name, part]) => [
      name,
      plant(part, path === '' ? name : `${path}.${name}`),
    ])
    return Object.fromEntries(entries)
  }

  return { document: { id, ...(plant(contracts[contract], '') as object) }, canaries }
}

function typedCanary(kind: Exclude<Kind, 'json'>, number: number, text: string): unknown {
  switch (kind) {
    case 'text':
      return text
    case 'uuid':
      return `ca4a4ca4-0000-4000-8000-${number.toString().padStart(12, '0')}`
    case 'instant':
      return new Date(Date.UTC(2031, 0, 1) + number * 1000).toISOString().replace('.000Z', 'Z')
    case 'count':
      return 7_000_000 + number
    case 'decimal':
      // Both coordinates can have it, and none is the beginning of another.
      return Number(`45.${number.toString().padStart(4, '0')}5`)
  }
}

/** The paths of the canaries that the text contains, in alphabetical order. */
export function canariesIn(text: string, canaries: ReadonlyMap<string, string>): string[] {
  return [...canaries].flatMap(([path, canary]) => (text.includes(canary) ? path : [])).sort()
}
