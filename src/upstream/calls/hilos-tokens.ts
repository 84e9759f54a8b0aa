import type { Secret } from '../../common/secret.ts'

/** The tokens of the account: the one in use, and another for when Hilos refuses it, so that tokens can be changed at leisure. */
export interface HilosTokens {
  /** The one to send. */
  readonly inUse: () => Secret
  /** Since when it is, in milliseconds since 1970 UTC. */
  readonly inUseSince: () => number
  /** What to send instead of this one when it is refused: the one in use, if that is another by now. Null for none. */
  readonly otherThan: (token: Secret) => Secret | null
  /**
   * Uses a token instead of another from now on, unless either has been replaced meanwhile.
   * @returns whether that changes anything
   */
  readonly use: (token: Secret, insteadOf: Secret) => boolean
  /** Forgets what was there. A new `current` is in use at once; a new `next` only where the one before was. */
  readonly replace: (place: 'current' | 'next', token: Secret) => void
  /** Has no next one any more; where it is in use, it goes on until it is refused or `current` is replaced. */
  readonly dropNext: () => void
  /** One or two. */
  readonly all: () => readonly Secret[]
}

export interface HilosTokensOptions {
  readonly current: Secret
  readonly next: Secret | null
  /** Milliseconds since 1970 UTC; the clock by default. */
  readonly now?: () => number
}

/** At first, `current` is in use. */
export function createHilosTokens({ current, next, now = Date.now }: HilosTokensOptions): HilosTokens {
  const held = new Map([['current', current]])
  if (next !== null) held.set('next', next)
  let used = current
  let usedSince = now()
  const useFromNowOn = (token: Secret) => {
    used = token
    usedSince = now()
  }

  return {
    inUse: () => used,
    inUseSince: () => usedSince,
    otherThan: (token) => [used, ...held.values()].find((each) => each.reveal() !== token.reveal()) ?? null,
    use: (token, insteadOf) => {
      const isChange = used === insteadOf && [...held.values()].includes(token)
      if (isChange) useFromNowOn(token)
      return isChange
    },
    replace: (place, token) => {
      if (place === 'current' || held.get(place) === used) useFromNowOn(token)
      held.set(place, token)
    },
    dropNext: () => void held.delete('next'),
    all: () => [...new Set([used, ...held.values()])],
  }
}
