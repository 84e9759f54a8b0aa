import type { Secret } from '../common/secret.ts'

/** The keys of the shared tier, as texts in base64 of 32 bytes each. */
export interface CacheKeys {
  readonly names: Secret
  /** The first one seals, all open. */
  readonly seal: readonly { readonly id: number; readonly key: Secret }[]
}
