import type { Clock } from '../../common/clock.ts'
import type { Secret } from '../../common/secret.ts'

/**
 * The tokens of the Hilos account: the one in use, and a second one that is sent when Hilos refuses it, so that tokens can
 * be rotated without an outage.
 */
export type HilosTokens = Readonly<ReturnType<typeof createHilosTokens>>

/** `current` is in use at first. */
export function createHilosTokens(current: Secret, next: Secret | null, clock: Pick<Clock, 'now' | 'elapsed'>) {
  const tokens = new Map([['current', current]])
  if (next !== null) tokens.set('next', next)
  let used = current
  let [usedSince, usedFrom] = [clock.now(), clock.elapsed()]
  const putIntoUse = (token: Secret) => {
    used = token
    ;[usedSince, usedFrom] = [clock.now(), clock.elapsed()]
  }

  return {
    /** The token to send. */
    inUse: () => used,
    /** Since when it has been in use, in milliseconds since 1970 UTC. */
    inUseSince: () => usedSince,
    /** How long it has been in use, in milliseconds, whatever happened to the wall clock. */
    inUseMs: () => clock.elapsed() - usedFrom,
    /** The token to send after this one was refused; null when there is no other. It is the one in use, if that has changed. */
    otherThan: (token: Secret) => [used, ...tokens.values()].find((each) => each.reveal() !== token.reveal()) ?? null,
    /**
     * Puts a token into use instead of another, unless either has been replaced in the meantime. Returns whether this
     * changed anything.
     */
    use: (token: Secret, insteadOf: Secret) => {
      const isChange = used === insteadOf && [...tokens.values()].includes(token)
      if (isChange) putIntoUse(token)
      return isChange
    },
    /** Replaces a token. A new `current` is in use immediately, a new `next` only if the previous one was. */
    replace: (place: 'current' | 'next', token: Secret) => {
      if (place === 'current' || tokens.get(place) === used) putIntoUse(token)
      tokens.set(place, token)
    },
    /** Removes the next token. If it is in use, it stays so until Hilos refuses it or `current` is replaced. */
    dropNext: () => void tokens.delete('next'),
    /** One or two tokens. */
    all: () => [...new Set([used, ...tokens.values()])],
  }
}
