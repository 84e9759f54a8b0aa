import type { ContactItem } from '../contacts/read-contacts.ts'
import { failureKinds } from '../failures/failure-kinds.ts'
import { problemOf } from '../failures/problem.ts'

/** The body of a batch. The data of each item are the bytes of its view, unchanged. */
export function itemsAsJson(items: readonly ContactItem[]): Buffer {
  const parts = items.flatMap((item, index) => [text(index === 0 ? '{"items":[' : ','), ...itemAsJson(item)])
  return Buffer.concat([...parts, text(']}')])
}

function itemAsJson(item: ContactItem): Buffer[] {
  if ('failure' in item) {
    const { id, failure } = item
    return [text(JSON.stringify({ id, status: failureKinds[failure.code].status, problem: problemOf(failure) }))]
  }
  const { id, representation } = item
  return [
    text(`{"id":"${id}","status":200,"etag":${JSON.stringify(representation.etag)},"data":`),
    representation.body,
    text('}'),
  ]
}

const text = (given: string) => Buffer.from(given)
