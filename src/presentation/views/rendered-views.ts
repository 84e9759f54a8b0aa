import { LRUCache } from 'lru-cache'
import { type Compression, type ContentCoding, compress, worthCompressingBytes } from './content-coding.ts'
import { ownBytes, type Representation, recode, renderView, type Variant } from './view.ts'

/** Tag, objects and the map entry of one representation, on top of its body. */
const overheadBytes = 512

export interface Renderings {
  /**
   * A representation of a packed contact, at once unless it has to be compressed first. What is too small to be worth
   * it, or does not get smaller, stays as it is.
   * @param id names the contact
   * @param packed what is remembered of it; the same buffer is the same revision
   */
  readonly of: (id: string, packed: Buffer, variant: Variant) => Representation | Promise<Representation>
  /** Forgets all representations of one contact. */
  readonly delete: (id: string) => void
  /** How full it is; an entry is all that is kept of one contact. */
  readonly fullness: () => {
    readonly entries: number
    readonly bytes: number
    readonly maxBytes: number
    /** Entries that had to make room for others, since the start. */
    readonly evictions: number
  }
}

export interface RenderingsOptions {
  /** Budget for all representations with their overhead. */
  readonly maxBytes: number
  /** Whether this revision is what is remembered of the contact: nothing is kept that would outlive it. */
  readonly isRemembered: (id: string, packed: Buffer) => boolean
}

/** What has been rendered of one revision of a contact. */
interface Revision {
  readonly packed: Buffer
  /** A handful: an array is smaller than a map, and there may be as many as there are contacts. */
  readonly representations: readonly Representation[]
}

/** Remembers each representation from when it is first asked for until its contact changes. To lose one costs a rendering. */
export function createRenderings({ maxBytes, isRemembered }: RenderingsOptions): Renderings {
  let evictions = 0
  const revisions = new LRUCache<string, Revision>({
    maxSize: maxBytes,
    sizeCalculation: sizeOf,
    dispose: (_revision, _id, reason) => {
      if (reason === 'evict') evictions += 1
    },
  })
  /** Compressions under way, by what they are made of. */
  const underWay = { br: new Map<Representation, Promise<Representation>>(), gzip: new Map() }

  function of(id: string, packed: Buffer, variant: Variant) {
    const { view, profile, coding } = variant
    const known = representationsOf(id, packed)
    const plain = find(known, variant, 'identity') ?? keep(id, packed, renderView(packed, view, profile))
    if (coding === 'identity' || plain.body.length < worthCompressingBytes) return plain
    return find(known, variant, coding) ?? underWay[coding].get(plain) ?? compressOnce(id, packed, plain, coding)
  }

  function representationsOf(id: string, packed: Buffer): readonly Representation[] {
    const revision = revisions.get(id)
    return revision?.packed === packed ? revision.representations : []
  }

  function keep(id: string, packed: Buffer, representation: Representation): Representation {
    if (isRemembered(id, packed))
      revisions.set(id, { packed, representations: [...representationsOf(id, packed), representation] })
    return representation
  }

  /** Whoever asks meanwhile waits for the same compression. */
  function compressOnce(id: string, packed: Buffer, plain: Representation, coding: Compression) {
    const compressing = compress(plain.body, coding)
      .then((body) =>
        // zlib's own chunk is larger than what it holds.
        body.length < plain.body.length ? keep(id, packed, recode(plain, coding, ownBytes(body))) : plain,
      )
      .finally(() => underWay[coding].delete(plain))
    underWay[coding].set(plain, compressing)
    return compressing
  }

  return {
    of,
    delete: (id) => void revisions.delete(id),
    fullness: () => ({ entries: revisions.size, bytes: revisions.calculatedSize, maxBytes, evictions }),
  }
}

function find(known: readonly Representation[], { view, profile }: Variant, coding: ContentCoding) {
  return known.find((each) => each.view === view && each.profile === profile && each.coding === coding)
}

function sizeOf({ packed, representations }: Revision): number {
  const bodies = representations.map(({ body }) => (body === packed ? 0 : body.length))
  return bodies.reduce((sum, bytes) => sum + overheadBytes + bytes, 0)
}
