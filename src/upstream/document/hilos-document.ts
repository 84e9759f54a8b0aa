import type { executionContact } from './contract.ts'

type ElementOf<List extends readonly unknown[] | null> = NonNullable<List>[number]

/** The fields of both published versions of the contract, as `contract.ts` reads them. */
export type RawDocument = NonNullable<ReturnType<typeof executionContact>>
export type RawStepExecution = ElementOf<RawDocument['execution_steps']>
export type HilosStepDefinition = NonNullable<RawStepExecution['step']>
export type HilosMessage = NonNullable<ElementOf<RawStepExecution['messages']>['message']>

/**
 * The fields of a flow execution contact that this service uses, with the names of Hilos. `readDocument` brings both
 * published versions of the contract to this shape. Hilos may leave out any field, so most of them are nullable. Instants
 * are milliseconds since 1970 UTC.
 */
export interface HilosDocument extends Omit<RawDocument, 'reason' | 'flow_execution' | 'execution_steps'> {
  /** In lower case; the requested id if the document has none. */
  readonly id: string
  /** The id of the flow execution. */
  readonly flow_execution: string | null
  readonly execution_steps: readonly HilosStepExecution[]
}

export type HilosUser = NonNullable<RawDocument['status_triggered_by']>

export type HilosContact = NonNullable<RawDocument['contact']>

/** A phone number or an e-mail address as Hilos has it. */
export type ContactPoint = HilosContact['phone']

export interface HilosStepExecution extends Omit<RawStepExecution, 'last_error_detail' | 'messages'> {
  readonly messages: readonly HilosMessage[]
}
