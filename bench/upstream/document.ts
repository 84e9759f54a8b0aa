import { createDocuments, documentIds } from '../../sandbox/documents.ts'
import {
  executionContact,
  inbound,
  outbound,
  type Part,
  stepDefinition,
  stepExecution,
  uuid,
} from '../../sandbox/parts.ts'

/** Returns the id of a document by its number. load/keys.lua makes the same ids. */
export function benchId(number: number): string {
  return uuid(0xbe, number)
}

/** The sizes of other documents than the usual one, in bytes. */
export const sizes = [5000, 55_000, 256_000, 1_000_000, 5_000_000] as const

const sizedFamily = 0xc000

/** Returns the id of a document of one of the `sizes` by its number. */
export function sizedId(sizeIndex: number, number: number): string {
  return uuid(sizedFamily + sizeIndex, number)
}

/** The id of a run that never ends. */
export const runningId = uuid(0xbf, 1)

/** Returns the run that never ends, as it is when it has just changed. */
export function runningDocument(): string {
  return JSON.stringify(executionContact(runningId, { status_last_change_on: new Date().toISOString() }))
}

/** The JSON text before and after the id of a document. */
export interface SplitDocument {
  readonly before: string
  readonly after: string
}

/** Returns the completed run of the sandbox. Its end is long ago, so that its lifetime does not depend on the present date. */
export async function splitDocument(): Promise<SplitDocument> {
  const make = createDocuments(0).get(documentIds.completed)
  if (!make) throw new Error('the sandbox does not have the document of the bench')
  return splitAt(documentIds.completed, { ...(await make(0)), status_last_change_on: endedOn })
}

/** Returns a completed run with this id, which has as many messages as fit into its size; null for another id. */
export function splitSizedDocument(id: string): SplitDocument | null {
  const bytes = sizes[Number.parseInt(id.slice(0, 8), 16) - sizedFamily]
  if (bytes === undefined) return null
  const documentOf = (steps: readonly Part[]) =>
    executionContact(id, { status: 'COMPLETED', status_last_change_on: endedOn, execution_steps: steps })
  const room = bytes - JSON.stringify(documentOf([])).length
  const stepBytes = JSON.stringify(conversationStep(messagesPerStep, 1)).length
  const full = Array.from({ length: Math.floor(room / stepBytes) }, (_, index) =>
    conversationStep(messagesPerStep, index + 1),
  )
  return splitAt(id, documentOf(full.length > 0 ? full : [conversationStep(1, 1)]))
}

const endedOn = '2025-11-22T11:00:00Z'
const messagesPerStep = 20

/** A step in which both sides write. */
function conversationStep(messages: number, number: number): Part {
  const texts = Array.from({ length: messages }, (_, index) => {
    const write = index % 2 === 0 ? outbound : inbound
    const name = `m${number}-${index}`
    return write(
      name,
      `${name}: ${'¿A qué hora llega mi pedido? Estoy en casa hasta las seis. '.repeat(3)}`,
      '2025-11-22T10:00:04Z',
    )
  })
  return stepExecution(number, stepDefinition(number, { body: 'Hola {{contact.first_name}}' }), { messages: texts })
}

/** @throws Error if the document does not contain the id exactly once */
function splitAt(id: string, document: Part): SplitDocument {
  const pieces = JSON.stringify(document).split(id)
  const [before, after] = pieces
  if (before === undefined || after === undefined || pieces.length > 2)
    throw new Error('the document must contain its id exactly once')
  return { before, after }
}
