import { type Cancel, type Clock, sleep } from '../common/clock.ts'
import type { SharedTierLimits } from '../config/limits.ts'
import type { Events } from './events.ts'
import type { SharedTierObserver } from './observer.ts'
import { firstEvent, goneMs, leave, report } from './replica-scripts.ts'
import { askingMs } from './script-parts.ts'
import {
  problemOf,
  type Reply,
  type RunScript,
  type ServerProblem,
  type SharedEvent,
  type SharedServer,
  SharedServerError,
} from './shared-server.ts'
import type { StreamEntry, Valkey } from './valkey.ts'

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
  readonly limits: Pick<SharedTierLimits, 'reportMs' | 'eventBlockMs' | 'timeouts' | 'reconnect' | 'hearing'>
  readonly clock: Clock
}

/** See the script. */
type ReportReply = readonly [
  count: number,
  last: Buffer,
  earliest: Buffer,
  from: Buffer,
  now: number,
  life: Buffer,
  isWhole: number,
]

/** A server that was connected to, and how it fares. */
interface Link {
  readonly server: Valkey
  /** When the first of the scripts in a row was sent that have got no reply. */
  unansweredSince: number
  unanswered: number
  failedReports: number
  /** What the clock of the server says when `clock.elapsed` is 0. */
  serverZero: number
  /** The last event of which the last of the regular reports has told. */
  toldOf: string
  /** The life of the server: the one that is known, and then the one that it has. */
  life: string
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
  const preparations: Parameters<SharedServer['onAttaching']>[0][] = []
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
  /** The life of the server of the last attachment. It is empty before the first one. */
  let life = ''
  /** A server that lost its memory does not know for whom to wait. */
  let awaited = { replicas: 0, until: 0 }
  let cancelAttempt: Cancel = () => {}
  let cancelReport: Cancel = () => {}

  async function attach(): Promise<void> {
    let begun: Link | null = null
    try {
      const server = await connect()
      if (isClosed) return server.close()
      const current: Link = {
        server,
        unansweredSince: 0,
        unanswered: 0,
        failedReports: 0,
        serverZero: 0,
        toldOf: '',
        life,
      }
      begun = current
      link = current
      kind = server.kind
      server.onClose(() => detach(current, 'closed'))
      const known = clock.elapsed() < awaited.until ? Math.max(present, awaited.replicas) : present
      const isFirst = life === ''
      // What it has served before may have been forgotten by the others.
      if (isFirst && attempts > 0) position = firstEvent
      const askedAt = clock.elapsed()
      let told = await reportTo(current)
      // Reports have more time than what requests wait for. A server that is too slow for those is better not attached to.
      if (clock.elapsed() - askedAt > askingMs) throw new SharedServerError('timeout')
      current.life = told.life
      const isMemoryLost = !isFirst && told.life !== life
      const hasMissed = !(told.isContinuous || isMemoryLost || told.isWhole)
      if (isMemoryLost) observer.memoryLost()
      if (!told.isContinuous) {
        awaited = { replicas: known, until: clock.elapsed() + goneMs }
        // What the server knows now was not heard here.
        position = firstEvent
        told = await reportTo(current)
      }
      present = told.count
      current.toldOf = told.last
      const run: RunScript = (...given) => runOn(current, ...given)
      for (const prepare of preparations) await prepare(run, { isMemoryLost, hasMissed })
      while (isAfter(current.toldOf, position)) {
        const entries = await server.readEvents(stream, position, 1)
        // The server has lost its memory since the report.
        if (entries.length === 0) throw new SharedServerError('other')
        hear(current, entries)
      }
      if (link === current) becomeAttached(current)
    } catch (error) {
      if (begun === null) becomeDetached(problemOf(error))
      else detach(begun, problemOf(error))
    }
  }

  function becomeAttached(current: Link): void {
    observer.attached(clock.elapsed() - since)
    isAttached = true
    life = current.life
    since = clock.elapsed()
    problem = null
    cancelReport = clock.schedule(() => void reportAgain(current), limits.reportMs)
    void listen(current)
    for (const hear of attachedListeners) hear()
  }

  function detach(from: Link, why: ServerProblem): void {
    if (link !== from) return
    becomeDetached(why)
    from.server.close()
  }

  function becomeDetached(why: ServerProblem): void {
    const wasAttached = isAttached
    if (!isClosed && (wasAttached || problem === null))
      observer.detached(why, wasAttached ? clock.elapsed() - since : 0)
    if (wasAttached) since = clock.elapsed()
    link = null
    isAttached = false
    problem = why
    cancelReport()
    const { firstMs, longestMs } = limits.reconnect
    const waitMs = (Math.min(firstMs * 2 ** attempts, longestMs) * (1 + clock.random())) / 2
    attempts += 1
    if (!isClosed) cancelAttempt = clock.schedule(() => void attach(), waitMs)
    if (wasAttached) for (const hear of detachedListeners) hear()
  }

  /** Hears events until the tier detaches. */
  async function listen(current: Link): Promise<void> {
    try {
      while (link === current) hear(current, await current.server.readEvents(stream, position, limits.eventBlockMs))
    } catch (error) {
      detach(current, problemOf(error))
    }
  }

  function hear(current: Link, entries: readonly StreamEntry[]): void {
    let isAwaited = false
    for (const entry of entries) {
      const event = events.decode(entry)
      if (event !== null) {
        if (isAttached)
          observer.eventHeard(Math.max(0, current.serverZero + clock.elapsed() - Number.parseInt(entry.id, 10)))
        for (const listener of eventListeners) listener(event)
      }
      // Only now: what a listener fails at is heard again.
      position = entry.id
      isAwaited ||= event?.kind === 'forgotten' || event?.kind === 'cleared'
    }
    // Another replica waits until all have forgotten.
    if (isAwaited) reportTo(current).catch(() => {})
  }

  async function reportTo(current: Link) {
    const reply = await runOn(current, report, [members, seen, stream], [replica, position, current.life])
    const [count, last, earliest, from, now, itsLife, isWhole] = reply as ReportReply
    current.serverZero = now - clock.elapsed()
    current.failedReports = 0
    if (position === '') position = String(from)
    if (!isAfter(String(last), position)) caughtUpAt = clock.elapsed()
    const isContinuous = from.length > 0
    // A server that has lost its memory does not know of all.
    if (isContinuous) present = count
    const texts = { last: String(last), earliest: String(earliest), life: String(itsLife) }
    return { ...texts, count, isContinuous, isWhole: isWhole === 1 }
  }

  async function reportAgain(current: Link): Promise<void> {
    // It was told of by the report before, so it ought to have been heard by now.
    if (isAfter(current.toldOf, position)) return detach(current, 'timeout')
    try {
      const { last, isContinuous } = await reportTo(current)
      current.toldOf = last
      attempts = 0
      if (!isContinuous) detach(current, 'other')
    } catch (error) {
      current.failedReports += 1
      const why = problemOf(error)
      if ((why !== 'timeout' && why !== 'busy') || current.failedReports > 1) detach(current, why)
    }
    if (link === current) cancelReport = clock.schedule(() => void reportAgain(current), limits.reportMs)
  }

  async function runOn(current: Link, ...[script, keys, args]: Parameters<RunScript>): Promise<Reply> {
    if (link !== current) throw new SharedServerError('detached')
    const begunAt = clock.elapsed()
    try {
      const reply = await current.server.run(script, keys, args)
      current.unanswered = 0
      observer.operationEnded(script.name, 'ok', clock.elapsed() - begunAt)
      return reply
    } catch (error) {
      const why = problemOf(error)
      observer.operationEnded(script.name, why, clock.elapsed() - begunAt)
      if (why === 'timeout') countTimeout(current, begunAt)
      // A refusal is a reply.
      else if (why !== 'busy') current.unanswered = 0
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
    const asked = link
    try {
      // After another attachment, the event may have been lost before it was heard.
      while (asked !== null && clock.elapsed() < endsAt) {
        const { earliest, isContinuous } = await reportTo(asked)
        if (!isContinuous) {
          detach(asked, 'other')
          return false
        }
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
      if (link === null || !isAttached) throw new SharedServerError('detached')
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
      reason: problem,
      replicas: server.replicas(),
      server: kind,
      eventsBehindMs: caughtUpAt === null ? null : Math.round(clock.elapsed() - caughtUpAt),
    }),
    /** Takes this replica out of the number of replicas, and closes the connections. */
    close: async () => {
      isClosed = true
      cancelAttempt()
      const last = link
      if (last === null) return
      // First of all: a report that follows would bring this replica back.
      becomeDetached('closed')
      await last.server.run(leave, [members, seen], [replica]).catch(() => {})
      last.server.close()
    },
  }
}

/** Whether one event comes after another one. Both are ids of the server: milliseconds, `-`, and a number. */
function isAfter(one: string, other: string): boolean {
  const [ms = 0, count = 0] = one.split('-').map(Number)
  const [otherMs = 0, otherCount = 0] = other.split('-').map(Number)
  return ms > otherMs || (ms === otherMs && count > otherCount)
}
