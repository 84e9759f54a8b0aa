import type { Envelope } from './envelope.ts'
import type { SharedTierObserver } from './observer.ts'
import type { SharedEvent } from './shared-server.ts'
import type { StreamEntry } from './valkey.ts'

/** What ids of contacts in events are sealed for. */
const sealedFor = 'event'

export type Events = Readonly<ReturnType<typeof createEvents>>

/**
 * Events as the fields of the entries of a stream. The id of a contact is sealed.
 * @param replica the name of this replica
 */
export function createEvents(replica: string, envelope: Envelope, observer: Pick<SharedTierObserver, 'unopened'>) {
  function encode(event: SharedEvent): string[] {
    const sealed = 'id' in event && { id: envelope.seal(Buffer.from(event.id), sealedFor).toString('base64url') }
    return Object.entries({ ...event, ...sealed, by: replica }).flat()
  }

  /** The event of another replica. Null for those of this one, and for those that say nothing. */
  function decode({ fields }: StreamEntry): SharedEvent | null {
    if (fields.get('by') === replica) return null
    const text = (name: string) => fields.get(name) ?? ''
    const kind = fields.get('kind')
    switch (kind) {
      case 'landed':
      case 'forgotten': {
        const id = envelope.open(Buffer.from(text('id'), 'base64url'), sealedFor)
        if (id === null) return unopened()
        return kind === 'landed'
          ? { kind, id: id.toString(), revision: text('revision') }
          : { kind, id: id.toString(), purge: text('purge') }
      }
      case 'cleared':
        return { kind, purge: text('purge') }
      case 'paused':
        return { kind }
      default:
        return null
    }
  }

  /** It may be any contact that is to be forgotten. */
  function unopened(): SharedEvent {
    observer.unopened()
    return { kind: 'cleared', purge: '' }
  }

  return { encode, decode }
}
