import { createDocuments, documentIds } from '../../sandbox/documents.ts'
import { uuid } from '../../sandbox/parts.ts'

/** The id of the bench's document number n. load/keys.lua spells it the same way. */
export function benchId(number: number): string {
  return uuid(0xbe, number)
}

/** A document of Hilos in two pieces, with the id between them. */
export interface SplitDocument {
  readonly before: string
  readonly after: string
}

/** The sandbox's run that is over, and has been for long, so that what day it is does not decide how long it is fresh. */
export async function splitDocument(): Promise<SplitDocument> {
  const make = createDocuments(0).get(documentIds.completed)
  if (!make) throw new Error('the sandbox has lost the document the bench serves')
  const document = { ...(await make(0)), status_last_change_on: '2025-11-22T11:00:00Z' }
  const pieces = JSON.stringify(document).split(documentIds.completed)
  const [before, after] = pieces
  if (before === undefined || after === undefined || pieces.length > 2)
    throw new Error('the id must stand in the document exactly once')
  return { before, after }
}
