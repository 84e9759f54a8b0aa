/**
 * What this service reads of a flow execution contact, in Hilos's spelling.
 * Both published versions of the contract are brought to this one shape by `read-document.ts`.
 * Anything may be missing upstream, so everything but the id is nullable. Instants are milliseconds since 1970 UTC.
 */
export interface HilosDocument {
  /** Lower case; the requested id where the document has none. */
  readonly id: string
  readonly status: string | null
  readonly status_reason: string | null
  readonly created_on: number | null
  readonly status_last_change_on: number | null
  readonly status_triggered_by: HilosUser | null
  readonly is_test: boolean | null
  readonly inbox_contact_id: string | null
  /** Its id only. */
  readonly flow_execution: string | null
  readonly flow: HilosFlow | null
  readonly flow_version: HilosFlowVersion | null
  readonly contact: HilosContact | null
  readonly execution_steps: readonly HilosStepExecution[]
}

export interface HilosUser {
  readonly first_name: string | null
  readonly last_name: string | null
}

export interface HilosFlow {
  readonly id: string | null
  readonly name: string | null
  readonly trigger_type: string | null
  readonly channel: {
    readonly channel_type: string | null
    readonly name: string | null
    readonly is_sandbox: boolean | null
  } | null
}

export interface HilosFlowVersion {
  readonly id: string | null
  readonly version_name: string | null
  readonly is_current_version: boolean | null
}

export interface HilosContact extends HilosUser {
  readonly id: string | null
  readonly email: string | null
  /** The canonical one, otherwise the other. */
  readonly phone: string | null
  /** Also true when the flag is there but not a boolean: doubt erases. */
  readonly is_deleted: boolean
  /** Any JSON value. */
  readonly meta: unknown
}

export interface HilosStepExecution {
  readonly id: string | null
  readonly status: string | null
  readonly status_reason: string | null
  readonly has_error: boolean | null
  readonly expire_on: number | null
  readonly validation_failed_attempts: number | null
  readonly created_on: number | null
  readonly status_last_change_on: number | null
  /** Only where Hilos put a scalar there. */
  readonly execution_result: string | number | boolean | null
  readonly step: HilosStepDefinition | null
  readonly messages: readonly HilosMessage[]
}

export interface HilosStepDefinition {
  readonly id: string | null
  readonly name: string | null
  readonly step_type: string | null
  readonly answer_type: string | null
  readonly answer_options: readonly string[] | null
  /** True: the options are filled in from a variable, `answer_options` is not what the contact saw. */
  readonly has_options_from_variable: boolean | null
  readonly has_max_answer_attempts: boolean | null
  readonly max_answer_attempts: number | null
  readonly delay_until: number | null
  /** Whether the step calls a URL. What it calls, and with what, is never read. */
  readonly has_action_request: boolean
}

export interface HilosMessage {
  readonly id: string | null
  readonly body: string | null
  readonly direction: string | null
  readonly timestamp: number | null
  readonly status: string | null
  readonly queued_on: number | null
  readonly accepted_on: number | null
  readonly sent_on: number | null
  readonly delivered_on: number | null
  readonly read_on: number | null
  readonly failed_on: number | null
  readonly failed_attempts: number | null
  readonly provider_error_code: string | null
  readonly msg_type: string | null
  readonly source: string | null
  /** Also true when the flag is there but not a boolean: doubt erases. */
  readonly is_deleted: boolean
  readonly content_type: string | null
  /** Whether there is media. Where it lies is never read. */
  readonly has_content_url: boolean
  readonly location: {
    readonly latitude: number | null
    readonly longitude: number | null
    readonly address: string | null
    readonly place_name: string | null
  } | null
  readonly whatsapp_template: { readonly name: string | null; readonly language: string | null } | null
  /** Id of the message replied to. */
  readonly context_message: string | null
  /** How many contact cards are shared. */
  readonly shared_contacts: number
}
