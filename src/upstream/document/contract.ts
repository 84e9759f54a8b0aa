import {
  anything,
  code,
  contactPoint,
  count,
  erasure,
  fileUrl,
  flag,
  idOf,
  instant,
  latitude,
  length,
  list,
  longitude,
  object,
  presence,
  reference,
  scalar,
  text,
  word,
} from './shape.ts'

/**
 * The contract of Hilos: the fields of both published versions. This service reads only the fields that have a reader. The
 * names in the list after them are also part of the contract, but they are not read, because they are secret, personal,
 * internal or useless. Any other field is drift.
 */

const user = object({ first_name: text, last_name: text }, 'id email profile_image role')

const channel = object(
  {
    channel_type: word('WHATSAPP EMAIL INSTAGRAM FB_MESSENGER TELEGRAM SMS VOICE'),
    name: text,
    is_sandbox: flag,
  },
  'id channel_id status created_on channel_provider',
)

const trigger = word(
  `INBOUND_ANY_MESSAGE INBOUND_SPECIFIC_MESSAGE OUTBOUND_CAMPAIGN_API OUTBOUND_CAMPAIGN_CSV OUTBOUND_CAMPAIGN_SEGMENT
   OUTBOUND_ANY META_C2WA INTEGRATIONS_HUBSPOT INTEGRATIONS_ZAPIER FROM_FLOW CSAT OTHER`,
)

const flow = object(
  { id: text, name: text, trigger_type: trigger, channel },
  `created_by created_on is_active status is_legacy num_contacts expired running completed canceled failed needs_update
   avg_completion_time current_version is_template trigger_config test_version upgrade_version legacy_version`,
)

const flowVersion = object(
  { id: text, version_name: text, is_current_version: flag },
  `version_description published_by created_on last_updated_on num_contacts completed expired running canceled failed
   avg_completion_time`,
)

const contact = object(
  {
    id: text,
    first_name: text,
    last_name: text,
    email: contactPoint,
    canonical_phone: contactPoint,
    phone: contactPoint,
    is_deleted: erasure,
    meta: anything,
  },
  'source external_url created_on last_updated_on',
)

const location = object(
  { latitude, longitude, address: text, place_name: text, map_screenshot_url: fileUrl },
  'place_url',
)

const template = object(
  { name: text, language: text },
  'components id category status rejected_reason is_deleted channel show_in_sandbox',
)

const message = object(
  {
    id: text,
    body: text,
    direction: text,
    timestamp: instant,
    status: word('new retry accepted sending sent receiving received delivered undelivered failed read deleted'),
    queued_on: instant,
    accepted_on: instant,
    sent_on: instant,
    delivered_on: instant,
    read_on: instant,
    failed_on: instant,
    failed_attempts: count,
    provider_error_code: code,
    msg_type: word(
      `audio voice button document text image interactive order sticker system unknown video unsupported location
       contacts template reaction ephemeral request_welcome`,
    ),
    source: word('INBOUND INBOX AUTO_RESPONSE API BROADCAST FLOW'),
    is_deleted: erasure,
    content_type: text,
    content_url: fileUrl,
    location,
    whatsapp_template: template,
    context_message: idOf,
    /** How many contact cards the message shares. */
    contacts: length,
    to_number: contactPoint,
    from_number: contactPoint,
    sent_by: user,
  },
  'contact provider_id provider_error_message content',
)

const stepDefinition = object(
  {
    id: text,
    name: text,
    step_type: text,
    answer_type: word(
      `ANY FREE_TEXT SINGLE_OPTION NUMBER URL EMAIL FILE DOCUMENT VIDEO IMAGE PHONE DATE TIME DATETIME BOOL LOCATION`,
    ),
    answer_options: list(text),
    answer_options_render: word('BUTTONS LIST EMOJIS NUMBERS'),
    /** If true, the contact did not see `answer_options`, but options from a variable. */
    has_options_from_variable: flag,
    has_max_answer_attempts: flag,
    max_answer_attempts: count,
    delay_until: instant,
    body_file_url: fileUrl,
    /** Whether the step calls a URL. Neither the URL nor the data that is sent is read. */
    action_request_method: presence,
    action_request_url: presence,
  },
  `flow_version next_step_default_idx next_step_default next_step_alternate answer_failed_next_step
   next_steps_for_options body body_type body_file_type body_file answer_validation_message
   answer_instructions answer_phone_default_country next_step_alternate_idx conditions delay_type action_request_headers
   action_request_params action_request_body action_test_response_data answer_allow_decimals answer_range_min
   answer_range_max answer_has_range assign_to_users ordering_idx option_from_variable_value options_from_variable
   option_from_variable_title option_from_variable_description missing_options_message
   answer_options_render_list_button_title answer_option_descriptions next_steps_for_options_idx contact_tags
   conversation_tags append_tags max_wait_time_amount max_wait_time_unit time_windows has_max_wait_time set_time_window
   assign_to_teams time_window_type answer_failed_next_step_idx whatsapp_template whatsapp_template_variables
   save_contact_answer validate_answer_with_buttons contact_custom_properties contact_first_name contact_last_name
   contact_email contact_external_url next_flow paths firstname lastname email custom_properties next_action`,
)

const stepExecution = object(
  {
    id: text,
    status: word('WAITING_TO_START NOT_EXECUTED RUNNING COMPLETED CANCELED FAILED EXPIRED'),
    status_reason: text,
    last_error_detail: text,
    has_error: flag,
    expire_on: instant,
    validation_failed_attempts: count,
    created_on: instant,
    status_last_change_on: instant,
    execution_result: scalar,
    step: stepDefinition,
    messages: list(object({ message })),
  },
  'request_data status_triggered_by',
)

/** The earlier version of the contract has the flow in here. In the later version, this is only the id. */
const flowExecution = object(
  { flow, flow_version: flowVersion, execution_type: trigger },
  `id status variables filters created_on created_by contacts name num_contacts status_last_change_on scheduled_on
   total_contacts`,
)

export const executionContact = object(
  {
    status: word('READY RUNNING PAUSED COMPLETED CANCELED EXPIRED FAILED'),
    status_reason: text,
    reason: text,
    created_on: instant,
    status_last_change_on: instant,
    status_triggered_by: user,
    is_test: flag,
    inbox_contact_id: text,
    flow_execution: reference(flowExecution),
    flow,
    flow_version: flowVersion,
    contact,
    execution_steps: list(stepExecution),
  },
  'id',
)('')
