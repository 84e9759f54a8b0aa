import type { Entry } from './entry.ts'

/** How full a store is. */
export interface StoreUsage {
  readonly entries: number
  /** Memory that the entries take, in bytes, each with its overhead. */
  readonly bytes: number
  /** Memory that the entries may take, in bytes. */
  readonly maxBytes: number
  /** Entries removed to make room for others, since the start of the process. */
  readonly evictions: number
}

/** A bounded set of cache entries. */
export interface Store<V> {
  readonly get: (key: string) => Entry<V> | undefined
  /** Returns the same as `get`, and does not count as use. */
  readonly peek: (key: string) => Entry<V> | undefined
  /** Replaces the entry of the key. Returns false, and stores nothing, for an entry that is too large or expired. */
  readonly set: (key: string, entry: Entry<V>) => boolean
  readonly delete: (key: string) => void
  readonly clear: () => void
  /** Removes all entries that are expired, or that have been stored for as long as they may be used. */
  readonly sweep: () => void
  /** All entries, most recently used first. Reading them does not count as use. */
  readonly entries: () => Iterable<readonly [key: string, entry: Entry<V>]>
  readonly usage: () => StoreUsage
}

/** Hears what a store keeps and what it drops. */
export interface StoreListener<V> {
  /** The entry is stored. `previous` is the entry that it replaced. */
  readonly onStored?: (key: string, entry: Entry<V>, previous: Entry<V> | undefined) => void
  /** The key has no entry any more: it was deleted, evicted, swept, or found to be expired. */
  readonly onForgotten?: (key: string) => void
}
