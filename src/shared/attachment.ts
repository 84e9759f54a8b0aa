import { type Cancel, type Clock, sleep } from '../common/clock.ts'
import type { Events } from './events.ts'
import type { SharedTierObserver } from './observer.ts'
import { firstEvent, goneMs, leave, report } from './replica-scripts.ts'
import {
  type Reply,
  type ServerProblem,
  type SharedEvent,
  type SharedServer,
  SharedServerError,
} from './shared-server.ts'
import type { StreamEntry, Valkey } from './valkey.ts'

export interface AttachmentLimits {
  /** The interval of reports. */
  readonly reportMs: number
  /** How long one read waits for events. */
  readonly eventBlockMs: number
  /** So many scripts in a row without a reply, over this time at least, detach. */
  readonly timeouts: { readonly inARow: number; readonly overMs: number }
  /** The wait before connecting anew grows from the one to the other. */
  readonly reconnect: { readonly firstMs: number; readonly longestMs: number }
  /** How long all replicas may take to hear an event, and how often to look whether they have. */
  readonly hearing: { readonly longestMs: number; readonly everyMs: number }
}

export interface AttachmentOptions {
  /** Connects to the server. It rejects with a SharedServerError. */
  readonly connect: () => Promise<Valkey>
  /** The name of this replica. */
  readonly replica: string
  readonly keyPrefix: string
  /** How many replicas there are if the server has not told yet. */
  readonly expectedReplicas: number
  readonly events: Pick<Events, 'decode'>
  readonly observer: SharedTierObserver
  readonly limits: AttachmentLimits
  readonly clock: Clock
}

export type Attachment = Readonly<ReturnType<typeof createAttachment>>

/** A server that was connected to, and how it fares. */
interface Link {
  readonly server: Valkey
  /** When the first of the scripts in a row was sent that have got no reply. */
  unansweredSince: number
  unanswered: number
  failedReports: number
  /** The last event of which a report has told. */
  toldOf: string
}

/**
 * The attachment to the server, one state for the whole tier. While it is detached, nothing asks the server and nothing waits for
 * it, except the attempts to attach again. It attaches when it is connected, has reported, and has heard all events that it missed.
 * It detaches by itself from a server that hangs, which neither answers nor closes.
 */
export function createAttachment(options: AttachmentOptions) {
  const { connect, replica, expectedReplicas, events, observer, limits, clock } = options
  const key = (name: string) => `{${options.keyPrefix}}:${name}`
  const [members, seen, stream] = [key('m'), key('seen'), key('ev')]
  const preparations: ((isMemoryLost: boolean) => Promise<void>)[] = []
  const attachedListeners: (() => void)[] = []
  const detachedListeners: (() => void)[] = []
  const eventListeners: ((event: SharedEvent) => void)[] = []

  let link: Link | null = null
  let isAttached = false
  let isClosed = false
  let since = clock.elapsed()
  let problem: ServerProblem | null = null
  let attempts = 0
  let present = 0
  let kind: string | null = null
  /** When all events that a report had told of were heard. */
  let caughtUpAt: number | null = null
  /** The last event that was heard. It is empty before the first attachment. */
  let position = ''
  /** A server that lost its memory does not know for whom to wait. */
  let awaited = { replicas: 0, until: 0 }
  let cancelAttempt: Cancel = () => {}
  let cancelReport: Cancel = () => {}

  async function attach(): Promise<void> {
    let begun: Link | null = null
    try {
      const server = await connect()
      begun = { server, unansweredSince: 0, unanswered: 0, failedReports: 0, toldOf: '' }
      const current = begun
      link = current
      kind = server.kind
      server.onClose(() => detach(current, 'closed'))
      if (isClosed) return server.close()
      const known = clock.elapsed() < awaited.until ? Math.max(present, awaited.replicas) : present
      const isMemoryLost = !(await reportTo(current)).isContinuous
      if (isMemoryLost) {
        observer.memoryLost()
        awaited = { replicas: known, until: clock.elapsed() + goneMs }
        // What the server knows now was said after the loss, and was not heard here.
        position = firstEvent
        await reportTo(current)
      }
      for (const prepare of preparations) await prepare(isMemoryLost)
      while (isAfter(current.toldOf, position)) hear(await server.readEvents(stream, position, 1))
      if (link !== current) return
      becomeAttached(current)
    } catch (error) {
      const { problem: why } = error as SharedServerError
      if (begun === null) fail(why)
      else detach(begun, why)
    }
  }

  function becomeAttached(current: Link): void {
    observer.attached(clock.elapsed() - since)
    isAttached = true
    since = clock.elapsed()
    problem = null
    attempts = 0
    for (const hear of attachedListeners) hear()
    void listen(current)
    cancelReport = clock.schedule(() => void reportAgain(current), limits.reportMs)
  }

  function detach(from: Link, why: ServerProblem): void {
    if (link !== from) return
    link = null
    cancelReport()
    from.server.close()
    fail(why)
  }

  function fail(why: ServerProblem): void {
    if (isAttached || problem === null) observer.detached(why, isAttached ? clock.elapsed() - since : 0)
    if (isAttached) since = clock.elapsed()
    const wasAttached = isAttached
    isAttached = false
    problem = why
    if (wasAttached) for (const hear of detachedListeners) hear()
    const { firstMs, longestMs } = limits.reconnect
    const waitMs = (Math.min(firstMs * 2 ** attempts, longestMs) * (1 + clock.random())) / 2
    attempts += 1
    if (!isClosed) cancelAttempt = clock.schedule(() => void attach(), waitMs)
  }

  /** Hears events until the tier detaches. */
  async function listen(current: Link): Promise<void> {
    try {
      while (link === current) hear(await current.server.readEvents(stream, position, limits.eventBlockMs))
    } catch (error) {
      detach(current, (error as SharedServerError).problem)
    }
  }

  function hear(entries: readonly StreamEntry[]): void {
    let isAwaited = false
    for (const entry of entries) {
      position = entry.id
      const event = events.decode(entry)
      if (event === null) continue
      for (const listener of eventListeners) listener(event)
      isAwaited ||= event.kind === 'forgotten' || event.kind === 'cleared'
    }
    // Another replica waits until all have forgotten.
    if (isAwaited && link !== null) reportTo(link).catch(() => {})
  }

  async function reportTo(current: Link) {
    const reply = await runOn(current, report, [members, seen, stream], [replica, position])
    const [count, last, earliest, from] = reply as [number, Buffer, Buffer, Buffer]
    present = count
    current.toldOf = String(last)
    current.failedReports = 0
    if (position === '') position = String(from)
    if (!isAfter(current.toldOf, position)) caughtUpAt = clock.elapsed()
    return { earliest: String(earliest), isContinuous: from.length > 0 }
  }

  async function reportAgain(current: Link): Promise<void> {
    const isBehind = isAfter(current.toldOf, position)
    try {
      if (isBehind) throw new SharedServerError('timeout')
      const { isContinuous } = await reportTo(current)
      if (!isContinuous) throw new SharedServerError('other')
    } catch (error) {
      current.failedReports += 1
      const { problem: why } = error as SharedServerError
      if (why !== 'timeout' || isBehind || current.failedReports > 1) detach(current, why)
    }
    if (link === current) cancelReport = clock.schedule(() => void reportAgain(current), limits.reportMs)
  }

  async function runOn(current: Link, ...[script, keys, args]: Parameters<SharedServer['run']>): Promise<Reply> {
    const begunAt = clock.elapsed()
    try {
      const reply = await current.server.run(script, keys, args)
      current.unanswered = 0
      observer.operationEnded(script.name, 'ok', clock.elapsed() - begunAt)
      return reply
    } catch (error) {
      const { problem: why } = error as SharedServerError
      observer.operationEnded(script.name, why, clock.elapsed() - begunAt)
      if (why === 'timeout') countTimeout(current, begunAt)
      if (why === 'closed' || why === 'not-primary' || why === 'auth') detach(current, why)
      throw error
    }
  }

  function countTimeout(current: Link, begunAt: number): void {
    if (current.unanswered === 0) current.unansweredSince = begunAt
    current.unanswered += 1
    const { inARow, overMs } = limits.timeouts
    if (current.unanswered >= inARow && clock.elapsed() - current.unansweredSince >= overMs) detach(current, 'timeout')
  }

  async function isHeardByAll(eventId: string): Promise<boolean> {
    const endsAt = clock.elapsed() + limits.hearing.longestMs
    try {
      while (link !== null && clock.elapsed() < endsAt) {
        const { earliest } = await reportTo(link)
        const areAllBack = present >= awaited.replicas || clock.elapsed() >= awaited.until
        if (areAllBack && !isAfter(eventId, earliest)) return true
        await sleep(clock, limits.hearing.everyMs)
      }
    } catch {
      // The server did not say.
    }
    return false
  }

  const server: SharedServer = {
    isAttached: () => isAttached,
    runId: () => link?.server.runId ?? '',
    replicas: () => Math.max(1, isAttached ? present : Math.max(present, expectedReplicas)),
    key,
    run: async (...given) => {
      if (link === null) throw new SharedServerError('detached')
      return await runOn(link, ...given)
    },
    onAttaching: (prepare) => void preparations.push(prepare),
    onAttached: (hear) => void attachedListeners.push(hear),
    onDetached: (hear) => void detachedListeners.push(hear),
    onEvent: (hear) => void eventListeners.push(hear),
    isHeardByAll,
  }

  return {
    server,
    /** Begins to attach. It resolves when the first attempt is over. */
    start: attach,
    /** For the reports to operators. */
    status: () => ({
      ok: isAttached,
      since: new Date(clock.now() - (clock.elapsed() - since)),
      reason: isAttached ? null : problem,
      replicas: server.replicas(),
      server: kind,
      eventsBehindMs: caughtUpAt === null ? null : clock.elapsed() - caughtUpAt,
    }),
    /** Takes this replica out of the number of replicas, and closes the connections. */
    close: async () => {
      isClosed = true
      cancelAttempt()
      if (link !== null) await runOn(link, leave, [members, seen], [replica]).catch(() => {})
      if (link !== null) detach(link, 'closed')
    },
  }
}

/** Whether one event comes after another one. Both are ids of the server: milliseconds, `-`, and a number. */
function isAfter(one: string, other: string): boolean {
  const [ms = 0, count = 0] = one.split('-').map(Number)
  const [otherMs = 0, otherCount = 0] = other.split('-').map(Number)
  return ms > otherMs || (ms === otherMs && count > otherCount)
}
