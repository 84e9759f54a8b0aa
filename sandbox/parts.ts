/**
 * A part of a document as Hilos sends it. The functions below fill every field of the contract with a plausible value, so that
 * the fields that hilos-bff must leave out are there. `overrides` replaces fields.
 */
export type Part = Record<string, unknown>

/** A UUID that is easy to recognise: `uuid(0x51, 2)` is 00000051-0000-4000-8000-000000000002. */
export function uuid(family: number, number: number): string {
  return `${family.toString(16).padStart(8, '0')}-0000-4000-8000-${number.toString(16).padStart(12, '0')}`
}

export function user(firstName = 'Lucía', lastName = 'Hernández'): Part {
  return {
    first_name: firstName,
    last_name: lastName,
    email: `${firstName.toLowerCase()}@tienda-ejemplo.mx`,
    id: 4711,
    profile_image: 'https://cdn.hilos.example/people/4711.jpg?signature=c2lnbmVkLXByb2ZpbGU',
    role: 2,
  }
}

export function channel(): Part {
  return {
    id: 88,
    channel_type: 'WHATSAPP',
    name: 'Support MX',
    channel_id: '5215550001234',
    status: 'ACTIVE',
    created_on: '2025-02-03T09:00:00Z',
    channel_provider: 'META_CLOUD_API',
    is_sandbox: false,
  }
}

export function flow(overrides: Part = {}): Part {
  return {
    id: uuid(0xf1, 1),
    name: 'Delivery confirmation',
    created_by: user(),
    created_on: '2026-08-12T16:20:00Z',
    is_active: true,
    status: 'PUBLISHED',
    is_legacy: false,
    channel: channel(),
    num_contacts: 18_231,
    expired: 912,
    running: 311,
    completed: 16_702,
    canceled: 205,
    failed: 101,
    needs_update: false,
    avg_completion_time: '00:14:31',
    current_version: uuid(0xf2, 3),
    is_template: false,
    trigger_type: 'OUTBOUND_CAMPAIGN_API',
    trigger_config: { webhook_secret: 'whsec_3J9sZpQ2rT', crm_pipeline: 'mx-last-mile' },
    test_version: null,
    upgrade_version: null,
    legacy_version: null,
    ...overrides,
  }
}

export function flowVersion(overrides: Part = {}): Part {
  return {
    id: uuid(0xf2, 3),
    version_name: 'v3',
    version_description: 'Asks for the day before the window.',
    published_by: user('Diego', 'Ramos'),
    created_on: '2026-10-30T18:00:00Z',
    last_updated_on: '2026-11-02T11:11:11Z',
    num_contacts: 4210,
    completed: 3800,
    expired: 200,
    running: 120,
    canceled: 60,
    failed: 30,
    avg_completion_time: '00:12:09',
    is_current_version: true,
    ...overrides,
  }
}

export function contact(overrides: Part = {}): Part {
  return {
    first_name: 'María',
    last_name: 'González',
    email: 'maria.gonzalez@correo-ejemplo.mx',
    meta: { loyalty_tier: 'gold', rfc: 'GOGM850101AB1', internal_score: 0.83 },
    canonical_phone: '+525512344433',
    is_deleted: false,
    phone: '5215512344433',
    id: uuid(0xc0, 1),
    created_on: '2025-11-05T08:30:00Z',
    last_updated_on: '2026-11-22T09:59:58Z',
    source: 'crm-import-2025',
    external_url: 'https://crm.tienda-ejemplo.mx/people/88123?key=crm-session-9f2c',
    ...overrides,
  }
}

export function stepDefinition(number: number, overrides: Part = {}): Part {
  return {
    flow_version: uuid(0xf2, 3),
    name: 'Step',
    step_type: 'MESSAGE',
    next_step_default_idx: number + 1,
    id: uuid(0xd0, number),
    next_step_default: uuid(0xd0, number + 1),
    next_step_alternate: uuid(0xd0, number + 20),
    answer_failed_next_step: null,
    next_steps_for_options: [],
    answer_type: null,
    body: 'Hola {{contact.first_name}}, te escribimos de Tienda Ejemplo por tu pedido {{order.number}}. '.repeat(90),
    body_type: 'text',
    body_file_url: 'https://files.hilos.example/flows/header.png?X-Amz-Signature=5f2d7c',
    body_file_type: 'UPLOAD',
    body_file: {
      id: uuid(0xfe, number),
      url: 'https://files.hilos.example/flows/header.png?X-Amz-Signature=5f2d7c',
      uploaded_file: 'https://files.hilos.example/uploads/header.png?X-Amz-Signature=88aa01',
      content_type: 'image/png',
      original_name: 'header final FINAL.png',
    },
    answer_validation_message: 'Por favor elige una de las opciones.',
    answer_instructions: 'Toca el botón y elige un día.',
    answer_options: null,
    answer_phone_default_country: 'MX',
    next_step_alternate_idx: null,
    conditions: [{ id: 1, field: 'contact.meta.loyalty_tier', comparison: 'exact', value: 'gold' }],
    delay_type: null,
    delay_until: null,
    action_request_method: null,
    action_request_url: null,
    action_request_headers: null,
    action_request_params: null,
    action_request_body: null,
    action_test_response_data: null,
    answer_allow_decimals: false,
    answer_range_min: null,
    answer_range_max: null,
    answer_has_range: false,
    assign_to_users: [4711, 4712],
    ordering_idx: number,
    has_options_from_variable: false,
    option_from_variable_value: null,
    options_from_variable: null,
    option_from_variable_title: null,
    option_from_variable_description: null,
    missing_options_message: null,
    answer_options_render: 'BUTTONS',
    answer_options_render_list_button_title: 'Ver opciones',
    answer_option_descriptions: [],
    next_steps_for_options_idx: [],
    contact_tags: ['pedido-en-ruta', 'vip'],
    conversation_tags: ['entregas'],
    append_tags: true,
    max_wait_time_amount: 1,
    max_wait_time_unit: 'DAY',
    time_windows: Array.from({ length: 7 }, (_, weekday) => ({
      weekday,
      is_available: weekday < 6,
      start_at: '09:00:00',
      end_at: '19:00:00',
    })),
    has_max_wait_time: true,
    set_time_window: true,
    assign_to_teams: [3],
    time_window_type: 'CUSTOM',
    has_max_answer_attempts: false,
    max_answer_attempts: 3,
    answer_failed_next_step_idx: null,
    whatsapp_template: uuid(0x7e, 1),
    whatsapp_template_variables: { 1: '{{contact.first_name}}', 2: '{{order.number}}' },
    save_contact_answer: true,
    validate_answer_with_buttons: true,
    contact_custom_properties: [{ key: 'delivery_day', value: '{{answer}}' }],
    contact_first_name: '',
    contact_last_name: '',
    contact_email: '',
    contact_external_url: '',
    next_flow: uuid(0xf1, 2),
    paths: [{ conditions: [{ id: 2, field: 'answer', comparison: 'icontains', value: 'lunes' }] }],
    firstname: '',
    lastname: '',
    email: '',
    custom_properties: [],
    next_action: 'CONTINUE',
    ...overrides,
  }
}

/** A step that calls a third party. The document contains the credentials for that call. */
export function actionDefinition(number: number): Part {
  return stepDefinition(number, {
    name: 'Book courier',
    step_type: 'ACTION',
    action_request_method: 'POST',
    action_request_url: 'https://api.courier.example/v2/bookings?account=tienda-ejemplo',
    action_request_headers: { Authorization: 'Bearer sk_live_courier_51Hc9dE', 'X-Account': 'tienda-ejemplo' },
    action_request_params: { signature: 'f00dfeed' },
    action_request_body: '{"order":"{{order.number}}","phone":"{{contact.phone}}"}',
    action_test_response_data: uuid(0xfe, 99),
  })
}

export function stepExecution(number: number, definition: Part, overrides: Part = {}): Part {
  return {
    id: uuid(0x5e, number),
    step: definition,
    status_reason: null,
    has_error: false,
    expire_on: null,
    status: 'COMPLETED',
    validation_failed_attempts: 0,
    execution_result: null,
    request_data: { trace: 'internal-7781', variables: { order: { number: 'MX-20931', total: '1899.00' } } },
    messages: [],
    created_on: '2026-11-22T10:00:01Z',
    status_triggered_by: null,
    status_last_change_on: '2026-11-22T10:00:02Z',
    ...overrides,
  }
}

export function template(): Part {
  return {
    name: 'delivery_confirmation_mx',
    language: 'es_MX',
    components: [{ type: 'BODY', text: 'Hola {{1}}, tu pedido {{2}} está en camino.' }],
    id: uuid(0x7e, 1),
    category: 'UTILITY',
    status: 'approved',
    rejected_reason: null,
    is_deleted: false,
    channel: channel(),
    show_in_sandbox: false,
  }
}

/** A message to the contact that was delivered and read, as a step contains it. */
export function outbound(id: string, body: string | null, at: string, overrides: Part = {}): Part {
  return {
    message: {
      id,
      to_number: '5215512344433',
      from_number: '5215550001234',
      body,
      direction: 'OUTBOUND',
      timestamp: at,
      contact: uuid(0xc0, 1),
      status: 'read',
      queued_on: at,
      accepted_on: at,
      sent_on: at,
      delivered_on: at,
      read_on: at,
      failed_on: null,
      provider_id: `wamid.HBgNNTIxNTUxMjM0NDQzMxUCABEYEj${id}`,
      provider_error_code: null,
      provider_error_message: null,
      sent_by: null,
      is_deleted: false,
      content: { messaging_product: 'whatsapp', to: '5215512344433', biz_opaque_callback_data: `internal-${id}` },
      whatsapp_template: null,
      content_type: null,
      content_url: null,
      msg_type: 'text',
      location: null,
      failed_attempts: 0,
      contacts: [],
      source: 'FLOW',
      context_message: null,
      ...overrides,
    },
  }
}

/** A message from the contact, as a step contains it. */
export function inbound(id: string, body: string | null, at: string, overrides: Part = {}): Part {
  return outbound(id, body, at, {
    to_number: '5215550001234',
    from_number: '5215512344433',
    direction: 'INBOUND',
    status: 'received',
    queued_on: null,
    accepted_on: null,
    sent_on: null,
    delivered_on: null,
    read_on: null,
    source: 'INBOUND',
    ...overrides,
  })
}

export function executionContact(id: string, overrides: Part = {}): Part {
  return {
    id,
    contact: contact(),
    status: 'RUNNING',
    execution_steps: [],
    created_on: '2026-11-22T10:00:01Z',
    flow_execution: uuid(0xfe, 7),
    status_reason: null,
    flow: flow(),
    flow_version: flowVersion(),
    status_triggered_by: null,
    status_last_change_on: '2026-11-22T10:04:40Z',
    inbox_contact_id: uuid(0x1b, 1),
    is_test: false,
    ...overrides,
  }
}
