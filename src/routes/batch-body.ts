import { Readable } from 'node:stream'
import type { Failure } from '../failures/failure.ts'
import { problemOf } from '../failures/problem.ts'
import { etagOf, type Representation } from '../presentation/views/view.ts'

/** What a body says of one contact. */
type Item = { readonly id: string } & (
  | { readonly representation: Pick<Representation, 'body' | 'etag'> }
  | { readonly failure: Failure }
)

/** The body of a batch in parts. The data of each item are the bytes of its view, which all responses share. */
export function bodyParts(items: readonly Item[]): Buffer[] {
  const parts = items.flatMap((item, index) => [text(index === 0 ? '{"items":[' : ','), ...itemParts(item)])
  return [...parts, text(']}')]
}

function itemParts(item: Item): Buffer[] {
  if ('failure' in item) return [text(JSON.stringify(headOf(item)))]
  return [text(`${JSON.stringify(headOf(item)).slice(0, -1)},"data":`), item.representation.body, text('}')]
}

/** An item without its data, of which the entity tag stands for the bytes. */
function headOf(item: Item): object {
  const { id } = item
  if ('representation' in item) return { id, status: 200, etag: item.representation.etag }
  const problem = problemOf(item.failure)
  return { id, status: problem.status, problem }
}

/** The strong entity tag of the body, which is known before the body is made. */
export function batchEtag(items: readonly Item[]): string {
  return etagOf(text(JSON.stringify(items.map(headOf))))
}

const text = (given: string) => Buffer.from(given)

/** A larger body is sent in parts and not compressed. Joined, it would take memory for each reader. */
export const largestJoinedBytes = 256 * 1024

/** Joins the parts of a body unless it is large. */
export function joined(parts: readonly Buffer[]): Buffer | Readable {
  return lengthOf(parts) > largestJoinedBytes ? Readable.from(parts, { objectMode: false }) : Buffer.concat(parts)
}

export function lengthOf(parts: readonly Buffer[]): number {
  return parts.reduce((bytes, { length }) => bytes + length, 0)
}
