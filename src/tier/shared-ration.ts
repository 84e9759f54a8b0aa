import { randomBytes } from 'node:crypto'
import type { Cancel, Clock } from '../common/clock.ts'
import type { SharedTierLimits } from '../config/limits.ts'
import { createLocalRation } from '../upstream/calls/local-ration.ts'
import { bucketOf, type Permit, type Ration, type RationListener } from '../upstream/calls/ration.ts'
import type { HilosSettings } from '../upstream/hilos-settings.ts'
import type { Events } from './events.ts'
import type { SharedTierObserver } from './observer.ts'
import { giveBack, keepTokens, take } from './ration-scripts.ts'
import { createSharedPause } from './shared-pause.ts'
import type { SharedServer } from './shared-server.ts'

export interface SharedRationOptions extends Pick<HilosSettings, 'maxCallsPerSecond' | 'rateMargin' | 'timeoutMs'> {
  readonly server: SharedServer
  readonly events: Pick<Events, 'encode'>
  readonly observer: Pick<SharedTierObserver, 'slot'>
  readonly limits: Pick<SharedTierLimits, 'ration'>
  readonly clock: Pick<Clock, 'elapsed' | 'schedule'>
}

/** Most tokens that are remembered because they could not be given back. Others come back by themselves. */
const maxUnsure = 1000

/** After so many refusals in a row this replica goes by its share. */
const maxRefusals = 20

/** The permit of a call, given ahead. */
interface Held {
  readonly token: string
  readonly at: number
  readonly isNow: boolean
}

/**
 * The ration of all replicas together, in the server. A token stands for a call; it is given with a slot, the time from which that
 * call may be sent. While the tier is detached, each replica has its share instead, which is a ration of its own.
 *
 * The tokens come back a second and a margin after they were sent, as those of a local ration do. What the server does not hear
 * of counts as not sent, so that nothing that is lost or late makes more calls.
 */
export function createSharedRation(options: SharedRationOptions, listener: RationListener): Ration {
  const pause = createSharedPause(options, listener)
  if (options.maxCallsPerSecond === 0) return { ...createLocalRation(options), pause }
  const { server, observer, clock } = options
  const { aheadMs, retryMs, keepMs, rejoinMs } = options.limits.ration
  const { size, returnMs } = bucketOf(options)
  const heldMs = options.timeoutMs + returnMs
  const bucket = [size, returnMs, aheadMs, heldMs].map(Math.ceil)
  const name = randomBytes(6).toString('base64url')
  let count = 0
  /** When the own tokens come back; infinity while the request is not sent. */
  const tokens = new Map<string, number>()
  /** Those that no call has taken yet, the earliest first. */
  const held: Held[] = []
  let wanted = 0
  let isAsking = false
  /** How often in a row the server has refused to give any, or has not replied. */
  let refusals = 0
  let askAgainAt = 0
  /** Nothing is asked before this, for the sake of calls that the server does not know of. */
  let askFrom = 0
  let pausesHeard = 0
  /** The share of this replica, which it has from then on while the tier is detached. */
  let share: Ration
  let shareFrom = 0
  let detachedAt = clock.elapsed()
  /** How many replicas there were, and until when those that are missing may make calls within their shares. */
  let known = { replicas: 1, until: 0 }
  /** How many there are while the tier is attached; 0 before that. */
  let present = 0
  /** Tokens that the server may have given, and could not be given back. */
  let unsure: string[] = []
  let cancelAsk: Cancel = () => {}
  let cancelKeep: Cancel

  const hasServer = () => server.isAttached() && refusals < maxRefusals
  const rationKey = () => server.key(`gov:${server.runId()}`)
  const newToken = () => {
    count += 1
    return `${name}${count.toString(36)}`
  }
  const knownReplicas = () => (clock.elapsed() < known.until ? known.replicas : 1)

  function startShare(): void {
    const replicas = server.replicas()
    known = { ...known, replicas: Math.max(present === 0 ? replicas : present, knownReplicas()) }
    share = createLocalRation({
      ...options,
      maxCallsPerSecond: options.maxCallsPerSecond / Math.max(replicas, known.replicas),
    })
  }

  function goByShare(): void {
    startShare()
    // Until then, others may not have noticed that the tier is away.
    shareFrom = clock.elapsed() + 2 * returnMs
  }

  function permitOf(token: string, ofShare?: Permit): Permit {
    tokens.set(token, Number.POSITIVE_INFINITY)
    return {
      sent: () => {
        if (tokens.get(token) !== Number.POSITIVE_INFINITY) return
        ofShare?.sent()
        const backAt = clock.elapsed() + returnMs
        tokens.set(token, backAt)
        tell([[token, backAt]]).catch(() => {})
      },
    }
  }

  /** Tells the server when tokens come back. */
  async function tell(which: Iterable<readonly [string, number]>, run = server.run): Promise<void> {
    const now = clock.elapsed()
    const args = [...which].flatMap(([token, backAt]) =>
      backAt > now ? [token, Math.ceil(Math.min(backAt - now, heldMs))] : [],
    )
    await run(keepTokens, [rationKey()], [...bucket, ...args])
  }

  function keep(): void {
    present = server.replicas()
    const now = clock.elapsed()
    for (const [token, backAt] of tokens) if (backAt <= now) tokens.delete(token)
    tell(tokens).catch(() => {})
    returnUnused(unsure.splice(0))
    cancelKeep = clock.schedule(keep, keepMs)
  }

  function returnUnused(unused: readonly string[]): void {
    if (unused.length === 0) return
    for (const token of unused) tokens.delete(token)
    server.run(giveBack, [rationKey()], unused).catch(() => {
      unsure = [...unsure, ...unused].slice(-maxUnsure)
    })
  }

  /** Asks for the tokens that are missing, now or when the server may give them. */
  function ask(): void {
    cancelAsk()
    const missing = wanted - held.length
    if (isAsking || missing <= 0 || !server.isAttached()) return
    const waitMs = Math.max(askAgainAt, askFrom) - clock.elapsed()
    if (waitMs > 0) cancelAsk = clock.schedule(ask, waitMs)
    else void askFor(Array.from({ length: missing }, newToken))
  }

  async function askFor(asked: readonly string[]): Promise<void> {
    isAsking = true
    const before = pausesHeard
    try {
      const keys = [rationKey(), server.key('pause'), server.key('m')]
      const reply = await server.run(take, keys, [...bucket, knownReplicas(), ...asked])
      const [verdict, againMs, ...waits] = reply as [Buffer, number, ...number[]]
      const now = clock.elapsed()
      refusals = 0
      askAgainAt = now + againMs
      if (String(verdict) === 'paused') {
        observer.slot('paused')
        listener.paused(againMs)
      } else {
        for (const [index, waitMs] of waits.entries()) {
          const token = asked[index] as string
          tokens.set(token, Number.POSITIVE_INFINITY)
          held.push({ token, at: now + waitMs, isNow: waitMs === 0 })
        }
        held.sort((one, other) => one.at - other.at)
        if (pausesHeard !== before) dropHeld(0)
      }
    } catch {
      // The server may have given them all the same, or may still do so.
      returnUnused(asked)
      refusals += 1
      // It fails at this script alone: the tier stays attached.
      if (refusals === maxRefusals && server.isAttached()) goByShare()
      askAgainAt = clock.elapsed() + retryMs
    }
    isAsking = false
    listener.changed()
  }

  /** Keeps only so many, the earliest. */
  function dropHeld(most: number): void {
    returnUnused(held.splice(most).map(({ token }) => token))
  }

  startShare()

  server.onAttaching(async (run, { isMemoryLost }) => {
    const now = clock.elapsed()
    // The server is not told of calls that are sent between this and the attachment.
    shareFrom = Math.max(shareFrom, now + returnMs)
    // Others may have made calls within their shares, and may do so until they have come back and told the server of them.
    if (isMemoryLost || now - detachedAt > returnMs) {
      known = { ...known, until: now + rejoinMs }
      askFrom = now + returnMs + aheadMs
    }
    await tell(tokens, run)
  })
  server.onAttached(() => {
    refusals = 0
    askAgainAt = 0
    keep()
    listener.changed()
  })
  server.onDetached(() => {
    cancelKeep()
    goByShare()
    detachedAt = clock.elapsed()
    listener.changed()
  })
  server.onEvent(({ kind }) => {
    if (kind !== 'paused') return
    pausesHeard += 1
    askAgainAt = 0
    dropHeld(0)
    listener.changed()
  })

  return {
    want: (waiting, startable) => {
      share.want(waiting, startable)
      wanted = startable
      dropHeld(wanted)
      ask()
    },
    nextAt: () => held[0]?.at ?? (hasServer() ? Number.POSITIVE_INFINITY : Math.max(share.nextAt(), shareFrom)),
    take: () => {
      const next = held.shift()
      observer.slot(next === undefined ? 'share' : next.isNow ? 'now' : 'later')
      if (next !== undefined) return permitOf(next.token)
      return permitOf(newToken(), share.take())
    },
    pause,
  }
}
