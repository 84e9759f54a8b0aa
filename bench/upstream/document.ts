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
const largestBytes = sizes[4]

const sizedFamily = 0xc000

/** Returns the id of a document of one of the `sizes` by its number. */
export function sizedId(sizeIndex: number, number: number): string {
  return uuid(sizedFamily + sizeIndex, number)
}

/** The id of a run that never ends. */
export const runningId = uuid(0xbf, 1)

/** When runs that go on were last active: `quietSeconds` ago, in steps, so that they change rarely. */
const paces = {
  /** Changes with each answer, and is asked about every 3 s. */
  moving: { quietSeconds: 0, stepSeconds: 0.001 },
  /** Is asked about every 20 to 26 s. */
  quiet: { quietSeconds: 200, stepSeconds: 60 },
  /** Is asked about every minute. */
  longQuiet: { quietSeconds: 600, stepSeconds: 3600 },
} as const

export type Pace = keyof typeof paces

const pacedFamily = 0xd000
const paceNames = Object.keys(paces) as readonly Pace[]

/** Returns the id of a run of a pace by its number. */
export function pacedId(pace: Pace, number: number): string {
  return uuid(pacedFamily + paceNames.indexOf(pace), number)
}

/** The id of a run that moves, and has as many messages as fit into 5 MB. */
export const largeMovingId = uuid(0xe0, 1)

/**
 * Returns a run that goes on, as it is now; null for an id that is of no such run.
 * @param changedAt when the bench changed it, in milliseconds since 1970 UTC
 */
export function movingDocument(id: string, changedAt?: number): string | null {
  const family = Number.parseInt(id.slice(0, 8), 16)
  const isMoving = id === runningId || id === largeMovingId
  const pace = isMoving ? 'moving' : paceNames[family - pacedFamily]
  if (pace === undefined) return null
  const stepMs = paces[pace].stepSeconds * 1000
  const quietSince = Math.floor((Date.now() - paces[pace].quietSeconds * 1000) / stepMs) * stepMs
  return JSON.stringify(
    executionContact(id, {
      status_last_change_on: new Date(changedAt ?? quietSince).toISOString(),
      ...(id === largeMovingId && { execution_steps: stepsWithin(largestBytes) }),
    }),
  )
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
  return splitAt(
    id,
    executionContact(id, {
      status: 'COMPLETED',
      status_last_change_on: endedOn,
      execution_steps: stepsWithin(bytes),
    }),
  )
}

/** Returns as many steps as fit into a document of this size. */
function stepsWithin(bytes: number): Part[] {
  const room = bytes - JSON.stringify(executionContact(uuid(0, 0), { status: 'COMPLETED', execution_steps: [] })).length
  const stepBytes = JSON.stringify(conversationStep(messagesPerStep, 1)).length
  const full = Array.from({ length: Math.floor(room / stepBytes) }, (_, index) =>
    conversationStep(messagesPerStep, index + 1),
  )
  return full.length > 0 ? full : [conversationStep(1, 1)]
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
