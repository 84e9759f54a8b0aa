import { createDocuments, documentIds } from '../../sandbox/documents.ts'
import { executionContact, uuid } from '../../sandbox/parts.ts'

/** Returns the id of a document by its number. load/keys.lua makes the same ids. */
export function benchId(number: number): string {
  return uuid(0xbe, number)
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
  const document = { ...(await make(0)), status_last_change_on: '2025-11-22T11:00:00Z' }
  const pieces = JSON.stringify(document).split(documentIds.completed)
  const [before, after] = pieces
  if (before === undefined || after === undefined || pieces.length > 2)
    throw new Error('the document must contain its id exactly once')
  return { before, after }
}
