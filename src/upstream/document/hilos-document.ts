import type { executionContact } from './contract.ts'

type ElementOf<List extends readonly unknown[] | null> = NonNullable<List>[number]

/** The fields of both published versions of the contract, as `contract.ts` reads them. */
export type RawDocument = NonNullable<ReturnType<typeof executionContact>>
export type RawContact = NonNullable<RawDocument['contact']>
export type RawStepExecution = ElementOf<RawDocument['execution_steps']>
export type RawStepDefinition = NonNullable<RawStepExecution['step']>
export type RawMessage = NonNullable<ElementOf<RawStepExecution['messages']>['message']>

/**
 * The fields of a flow execution contact that this service uses, with the names of Hilos. `readDocument` brings both
 * published versions of the contract to this shape. Hilos may leave out any field, so most of them are nullable. Instants
 * are milliseconds since 1970 UTC.
 */
export interface HilosDocument extends Omit<RawDocument, 'reason' | 'flow_execution' | 'contact' | 'execution_steps'> {
  /** In lower case; the requested id if the document has none. */
  readonly id: string
  /** The id of the flow execution. */
  readonly flow_execution: string | null
  readonly contact: HilosContact | null
  readonly execution_steps: readonly HilosStepExecution[]
}

export type HilosUser = NonNullable<RawDocument['status_triggered_by']>

/** `phone` is the canonical phone number, or the other one without it. */
export type HilosContact = Omit<RawContact, 'canonical_phone'>

export interface HilosStepExecution extends Omit<RawStepExecution, 'last_error_detail' | 'step' | 'messages'> {
  readonly step: HilosStepDefinition | null
  readonly messages: readonly HilosMessage[]
}

export interface HilosStepDefinition extends Omit<RawStepDefinition, 'action_request_method' | 'action_request_url'> {
  /** Whether the step calls a URL. This service does not read the URL or the data that is sent. */
  readonly has_action_request: boolean
}

export interface HilosMessage extends Omit<RawMessage, 'content_url' | 'contacts'> {
  /** Whether the message has a file. This service does not read its URL. */
  readonly has_content_url: boolean
  /** How many contact cards the message shares. */
  readonly shared_contacts: number
}
