import type { HilosMessage } from '../../upstream/document/hilos-document.ts'

export const authors = ['contact', 'agent', 'flow', 'api', 'broadcast', 'auto_response', 'unknown'] as const
export type Author = (typeof authors)[number]

export const directions = ['in', 'out', 'unknown'] as const
export type Direction = (typeof directions)[number]

/** Hilos does not restrict the text of `direction`. If it is not one of the usual words, the author decides. */
export function directionOf({ direction, source }: HilosMessage): Direction {
  const word = direction?.toLowerCase() ?? ''
  if (/^(in|inbound|incoming|received)$/.test(word)) return 'in'
  if (/^(out|outbound|outgoing|sent)$/.test(word)) return 'out'
  const author = authorOf(source)
  return author === 'unknown' ? 'unknown' : author === 'contact' ? 'in' : 'out'
}

const authorsBySource: ReadonlyMap<string | null, Author> = new Map([
  ['INBOUND', 'contact'],
  ['INBOX', 'agent'],
  ['FLOW', 'flow'],
  ['API', 'api'],
  ['BROADCAST', 'broadcast'],
  ['AUTO_RESPONSE', 'auto_response'],
])

export function authorOf(source: string | null): Author {
  return authorsBySource.get(source) ?? 'unknown'
}
