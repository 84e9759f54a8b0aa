import {
  actionDefinition,
  channel,
  contact,
  executionContact,
  flow,
  flowVersion,
  inbound,
  outbound,
  type Part,
  stepDefinition,
  stepExecution,
  template,
  user,
  uuid,
} from './parts.ts'

/**
 * Makes a document as it is at a point in time. Hilos is slow if the promise is.
 * @param nowMs milliseconds since 1970 UTC
 */
export type MakeDocument = (nowMs: number) => Part | Promise<Part>

interface ListedDocument {
  readonly id: string
  /** What the run shows, as a sentence without a full stop. */
  readonly text: string
  /** @param startedMs the first start of the live run, in milliseconds since 1970 UTC, as is `nowMs` */
  readonly make: (id: string, nowMs: number, startedMs: number) => Part
}

const listed = (id: string, text: string, make: ListedDocument['make']): ListedDocument => ({ id, text, make })
const numbered = (suffix: string, text: string, make: ListedDocument['make']) =>
  listed(`00000000-0000-4000-8000-${suffix.padStart(12, '0')}`, text, make)

const ended =
  (status: string, reason: string | null, by: Part | null = null): ListedDocument['make'] =>
  (id) =>
    executionContact(id, {
      status,
      status_reason: reason,
      status_triggered_by: by,
      status_last_change_on: '2026-11-22T11:00:00Z',
      execution_steps: confirmationSteps('COMPLETED'),
    })

/** The one table of all documents. The ids, the answers and the list at `GET /` come from it. */
export const documents = {
  deliveryConfirmation: listed(
    'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1',
    'Waits for the answer to its fourth step; the example of the documentation',
    (id) => executionContact(id, { execution_steps: confirmationSteps('RUNNING') }),
  ),
  live: numbered('1e', 'Takes a step every 15 s, ends after a minute, and begins anew 25 s later', live),
  everyMessageType: numbered('19', 'Has a message of every type', everyMessageType),
  earlierContract: numbered('e1', 'Is paused, in the earlier version of the contract', earlierContract),
  erasedContact: numbered('de1e', 'Is about a contact who was deleted', (id) =>
    executionContact(id, {
      status: 'COMPLETED',
      contact: contact({ is_deleted: true }),
      execution_steps: confirmationSteps('COMPLETED'),
    }),
  ),
  ready: numbered('1', 'Has not begun', (id) => executionContact(id, { status: 'READY', status_last_change_on: null })),
  paused: numbered('2', 'Is paused', (id) =>
    executionContact(id, { status: 'PAUSED', execution_steps: confirmationSteps('RUNNING') }),
  ),
  completed: numbered('3', 'Is completed', ended('COMPLETED', null)),
  canceled: numbered(
    '4',
    'Was canceled by a person',
    ended('CANCELED', 'Canceled from the inbox', user('Diego', 'Ramos')),
  ),
  expired: numbered('5', 'Has expired', ended('EXPIRED', 'No answer within one day')),
  failed: numbered('6', 'Has failed', ended('FAILED', 'The number is not on WhatsApp')),
  newStatus: numbered('7', 'Has a status that the contract does not list', (id) =>
    executionContact(id, { status: 'ARCHIVED', execution_steps: confirmationSteps('SNOOZED') }),
  ),
} satisfies Record<string, ListedDocument>

/** The ids of all documents. */
export const documentIds = Object.fromEntries(
  Object.entries(documents).map(([name, { id }]) => [name, id]),
) as Readonly<Record<keyof typeof documents, string>>

/**
 * Returns the documents by id.
 * @param startedMs the first start of the live run, in milliseconds since 1970 UTC
 */
export function createDocuments(startedMs: number): Map<string, MakeDocument> {
  const all = Object.values<ListedDocument>(documents)
  return new Map(all.map(({ id, make }) => [id, (nowMs: number) => make(id, nowMs, startedMs)]))
}

function confirmationSteps(lastStatus: string): Part[] {
  return [
    stepExecution(1, stepDefinition(1, { name: 'Greeting', step_type: 'TEMPLATE' }), {
      messages: [
        outbound('m1', 'Hola María, tu pedido MX-20931 está en camino 🚚', '2026-11-22T10:00:02Z', {
          msg_type: 'template',
          whatsapp_template: template(),
        }),
      ],
    }),
    stepExecution(
      2,
      stepDefinition(2, { name: 'Confirm your name', step_type: 'QUESTION', answer_type: 'FREE_TEXT' }),
      {
        created_on: '2026-11-22T10:00:03Z',
        status_last_change_on: '2026-11-22T10:02:10Z',
        messages: [
          outbound('m2', '¿Quién recibe el pedido?', '2026-11-22T10:00:04Z'),
          inbound('m3', 'María', '2026-11-22T10:02:09Z', { context_message: { id: 'm2', body: '¿Quién recibe…?' } }),
        ],
      },
    ),
    stepExecution(3, actionDefinition(3), {
      created_on: '2026-11-22T10:02:11Z',
      status_last_change_on: '2026-11-22T10:02:13Z',
      status_reason: 'POST https://api.courier.example/v2/bookings answered 201 {"booking":"BK-771","pin":"4402"}',
      execution_result: { booking: 'BK-771', pin: '4402' },
      request_data: { headers: { Authorization: 'Bearer sk_live_courier_51Hc9dE' }, body: { phone: '5215512344433' } },
    }),
    stepExecution(
      4,
      stepDefinition(4, {
        name: 'Ask delivery date',
        step_type: 'QUESTION',
        answer_type: 'SINGLE_OPTION',
        answer_options: ['Monday', 'Tuesday'],
        has_max_answer_attempts: true,
      }),
      {
        status: lastStatus,
        created_on: '2026-11-22T10:02:14Z',
        status_last_change_on: '2026-11-22T10:04:40Z',
        expire_on: '2026-11-23T10:04:40Z',
        messages: [
          outbound('m4', 'Which day suits you?', '2026-11-22T10:04:40Z', {
            msg_type: 'interactive',
            delivered_on: '2026-11-22T10:04:41Z',
            read_on: '2026-11-22T10:04:41Z',
          }),
        ],
      },
    ),
  ]
}

const stepSeconds = 15
/**
 * Shorter than the service keeps an ended run at least (27 s), so that what the service loads after an end is the next run.
 */
const restSeconds = 25
const liveScript = [
  ['Greeting', null, 'Welcome!', null],
  ['Favourite colour', 'FREE_TEXT', 'What is your favourite colour?', 'Green'],
  ['Size', 'SINGLE_OPTION', 'Which size?', 'Large'],
  ['Anything else', 'FREE_TEXT', 'Anything else we should know?', 'Ring twice, please'],
] as const
const runSeconds = stepSeconds * liveScript.length

/** A run in progress: every 15 seconds the contact answers and the next step begins. After its end and a rest, it begins anew. */
function live(id: string, nowMs: number, startedMs: number): Part {
  const roundMs = (runSeconds + restSeconds) * 1000
  const round = Math.max(0, Math.floor((nowMs - startedMs) / roundMs))
  const beganMs = startedMs + round * roundMs
  const at = (seconds: number) => new Date(beganMs + seconds * 1000).toISOString()
  const elapsed = Math.max(0, (nowMs - beganMs) / 1000)
  const reached = Math.min(Math.floor(elapsed / stepSeconds) + 1, liveScript.length)
  const hasEnded = elapsed >= runSeconds
  const steps = liveScript.slice(0, reached).map(([name, answerType, question, reply], index) => {
    const begin = index * stepSeconds
    const done = hasEnded || index + 1 < reached
    const number = round * liveScript.length + index + 1
    const definition = stepDefinition(index + 1, {
      name,
      answer_type: answerType,
      step_type: answerType ? 'QUESTION' : 'MESSAGE',
      answer_options: answerType === 'SINGLE_OPTION' ? ['Small', 'Large'] : null,
    })
    const asked = outbound(`live-${number}-out`, question, at(begin + 1), { read_on: at(begin + 3) })
    return stepExecution(number, definition, {
      status: done ? 'COMPLETED' : 'RUNNING',
      created_on: at(begin),
      status_last_change_on: at(done ? begin + stepSeconds : begin),
      expire_on: done ? null : at(begin + stepSeconds),
      messages: done && reply ? [asked, inbound(`live-${number}-in`, reply, at(begin + stepSeconds - 1))] : [asked],
    })
  })
  return executionContact(id, {
    status: hasEnded ? 'COMPLETED' : 'RUNNING',
    created_on: at(0),
    flow_execution: uuid(0x1fe, round),
    status_last_change_on: at(hasEnded ? runSeconds : 0),
    execution_steps: steps,
  })
}

function everyMessageType(id: string): Part {
  const minute = (n: number) => `2026-11-22T10:${n.toString().padStart(2, '0')}:00Z`
  const media = (type: string, mime: string) => ({
    msg_type: type,
    content_type: mime,
    content_url: `https://lookaside.hilos.example/media/${type}?token=signed-${type}`,
  })
  const messages = [
    outbound('t-text', 'Plain text, with a line\nbreak, 👋 and مرحبا', minute(0)),
    inbound('t-image', 'My door', minute(1), media('image', 'image/jpeg')),
    inbound('t-voice', null, minute(2), media('voice', 'audio/ogg; codecs=opus')),
    inbound('t-audio', null, minute(3), media('audio', 'audio/mpeg')),
    inbound('t-video', null, minute(4), media('video', 'video/mp4')),
    inbound('t-document', 'Invoice', minute(5), media('document', 'application/pdf')),
    inbound('t-sticker', null, minute(6), media('sticker', 'image/webp')),
    inbound('t-location', null, minute(7), {
      msg_type: 'location',
      location: {
        address: 'Av. Reforma 222, Ciudad de México',
        latitude: 19.4284,
        longitude: -99.1617,
        place_name: 'Reforma 222',
        place_url: 'https://maps.example/reforma-222',
        map_screenshot_url: 'https://files.hilos.example/maps/1.png?signature=aa',
      },
    }),
    inbound('t-contacts', null, minute(8), {
      msg_type: 'contacts',
      contacts: [
        { name: { formatted_name: 'Pedro Vecino' }, phones: [{ phone: '+525598765432' }] },
        { name: { formatted_name: 'Ana Portera' }, phones: [{ phone: '+525511112222' }] },
      ],
    }),
    outbound('t-template', 'Hola María', minute(9), { msg_type: 'template', whatsapp_template: template() }),
    inbound('t-button', 'Sí', minute(10), { msg_type: 'button', context_message: { id: 't-template' } }),
    outbound('t-interactive', 'Choose', minute(11), { msg_type: 'interactive' }),
    inbound('t-reaction', '👍', minute(12), { msg_type: 'reaction', context_message: { id: 't-interactive' } }),
    inbound('t-order', null, minute(13), { msg_type: 'order' }),
    inbound('t-system', 'The number changed', minute(14), { msg_type: 'system' }),
    inbound('t-ephemeral', null, minute(15), { msg_type: 'ephemeral' }),
    inbound('t-unsupported', null, minute(16), { msg_type: 'unsupported' }),
    inbound('t-unknown', null, minute(17), { msg_type: 'unknown' }),
    inbound('t-welcome', null, minute(18), { msg_type: 'request_welcome' }),
    inbound('t-new-type', null, minute(19), { msg_type: 'hologram' }),
    inbound('t-deleted', 'I should not have said this', minute(20), { is_deleted: true, status: 'deleted' }),
    outbound('t-agent', 'This is Lucía, how can I help?', minute(21), { source: 'INBOX', sent_by: user() }),
    outbound('t-failed', 'Are you still there?', minute(22), {
      status: 'failed',
      delivered_on: null,
      read_on: null,
      failed_on: minute(23),
      failed_attempts: 2,
      provider_error_code: '131047',
      provider_error_message: 'More than 24 hours have passed since the recipient last wrote to 5215550001234',
    }),
  ]
  return executionContact(id, {
    status_last_change_on: minute(0),
    execution_steps: [
      stepExecution(1, stepDefinition(1, { name: 'Conversation', step_type: 'CONVERSATION' }), {
        status: 'RUNNING',
        messages,
      }),
    ],
  })
}

/** The same run in the earlier version of the contract. */
function earlierContract(id: string): Part {
  const {
    flow: _flow,
    flow_version: _version,
    status_reason: _reason,
    status_triggered_by: _by,
    status_last_change_on: _changed,
    inbox_contact_id: _inbox,
    is_test: _test,
    ...rest
  } = executionContact(id)
  const { trigger_type, ...earlierFlow } = flow()
  return {
    ...rest,
    status: 'PAUSED',
    reason: 'Paused from the inbox',
    contact: contact({ meta: { delivery_day: 'Monday' } }),
    flow_execution: {
      id: uuid(0xfe, 7),
      status: 'RUNNING',
      variables: { api_key: 'campaign-key-771' },
      filters: { tag: 'vip' },
      execution_type: trigger_type,
      flow: { ...earlierFlow, channel: channel() },
      flow_version: flowVersion(),
    },
    execution_steps: confirmationSteps('RUNNING').map((execution) => {
      const { status_reason, status_last_change_on: _last, status_triggered_by: _who, messages, ...step } = execution
      return { ...step, last_error_detail: status_reason, messages: (messages as Part[]).map(withStringContext) }
    }),
  }
}

function withStringContext({ message }: Part): Part {
  const { context_message, ...rest } = message as Part
  return { message: { ...rest, context_message: (context_message as Part | null)?.id ?? null } }
}
