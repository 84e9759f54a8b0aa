import { LRUCache } from 'lru-cache'
import type { StoreUsage } from '../../cache/store.ts'
import { type Compression, type ContentCoding, compress, worthCompressingBytes } from './content-coding.ts'
import { type Content, ownBytes, type Render, type Representation, recode, type Variant } from './view.ts'

/** Bytes that a representation takes besides its body: the tag, the objects and the place in the map. */
const overheadBytes = 512

/** A cache of rendered views. A view that is evicted is rendered again. */
export interface RenderedViews {
  /**
   * Returns a representation of a contact, as a promise only when it must be compressed first, or is large. A body that is
   * too small to be worth compressing, or that compression does not make smaller, is returned without a content coding.
   * @param id the id of the contact
   * @param content of the stored contact; the same object means the same revision
   */
  readonly get: (id: string, content: Content, variant: Variant) => Representation | Promise<Representation>
  /** Drops all representations of one contact. */
  readonly delete: (id: string) => void
  /** An entry is all that is kept of one contact. */
  readonly usage: () => StoreUsage
}

export interface RenderedViewsOptions {
  /** Budget in bytes for all representations with their overhead. */
  readonly maxBytes: number
  /** Whether this revision of the contact is stored: a representation is not kept longer than its contact. */
  readonly isStored: (id: string, content: Content) => boolean
  /** It returns a promise for a large contact. */
  readonly render: (...given: Parameters<Render>) => Representation | Promise<Representation>
}

/** The representations of one revision of a contact. */
interface Revision {
  readonly content: Content
  /** There are a few, and as many revisions as stored contacts: an array takes less memory than a map. */
  readonly representations: readonly Representation[]
}

/** Keeps each representation from its first request until its contact changes. */
export function createRenderedViews({ maxBytes, isStored, render }: RenderedViewsOptions): RenderedViews {
  let evictions = 0
  const revisions = new LRUCache<string, Revision>({
    maxSize: maxBytes,
    sizeCalculation: sizeOf,
    dispose: (_revision, _id, reason) => {
      if (reason === 'evict') evictions += 1
    },
  })
  /** Renderings in progress, by view and profile. */
  const rendering = new WeakMap<Content, Map<string, Promise<Representation>>>()
  /** Compressions in progress, by the representation that is compressed. */
  const compressing = { br: new Map<Representation, Promise<Representation>>(), gzip: new Map() }

  function get(id: string, content: Content, variant: Variant) {
    const plain = find(representationsOf(id, content), variant, 'identity') ?? renderOnce(id, content, variant)
    const encode = (each: Representation) => encoded(id, content, each, variant.coding)
    return plain instanceof Promise ? plain.then(encode) : encode(plain)
  }

  /** Requests that arrive while a large contact is rendered wait for the same rendering. */
  function renderOnce(id: string, content: Content, { view, profile }: Variant) {
    const key = `${view} ${profile}`
    const inProgress = rendering.get(content) ?? new Map<string, Promise<Representation>>()
    const awaited = inProgress.get(key)
    if (awaited) return awaited
    const plain = render(content, view, profile)
    if (!(plain instanceof Promise)) return keep(id, content, plain)
    const kept = plain.then((each) => keep(id, content, each)).finally(() => inProgress.delete(key))
    rendering.set(content, inProgress.set(key, kept))
    return kept
  }

  function encoded(id: string, content: Content, plain: Representation, coding: ContentCoding) {
    if (coding === 'identity' || plain.body.length < worthCompressingBytes) return plain
    const known = find(representationsOf(id, content), plain, coding)
    return known ?? compressing[coding].get(plain) ?? compressOnce(id, content, plain, coding)
  }

  function representationsOf(id: string, content: Content): readonly Representation[] {
    const revision = revisions.get(id)
    return revision?.content === content ? revision.representations : []
  }

  function keep(id: string, content: Content, representation: Representation): Representation {
    if (isStored(id, content)) {
      const representations = [...representationsOf(id, content), representation]
      revisions.set(id, { content, representations })
    }
    return representation
  }

  /** Requests that arrive in the meantime wait for the same compression. */
  function compressOnce(id: string, content: Content, plain: Representation, coding: Compression) {
    const compressed = compress(plain.body, coding)
      .then((body) =>
        // zlib returns a slice of a larger buffer.
        body.length < plain.body.length ? keep(id, content, recode(plain, coding, ownBytes(body))) : plain,
      )
      .finally(() => compressing[coding].delete(plain))
    compressing[coding].set(plain, compressed)
    return compressed
  }

  return {
    get,
    delete: (id) => void revisions.delete(id),
    usage: () => ({ entries: revisions.size, bytes: revisions.calculatedSize, maxBytes, evictions }),
  }
}

function find(known: readonly Representation[], { view, profile }: Variant, coding: ContentCoding) {
  return known.find((each) => each.view === view && each.profile === profile && each.coding === coding)
}

function sizeOf({ content, representations }: Revision): number {
  const bodies = representations.map(({ body }) => (body === content.serialized ? 0 : body.length))
  return bodies.reduce((sum, bytes) => sum + overheadBytes + bytes, 0)
}
