import type { Entry } from '../../src/cache/entry.ts'
import type { Demand, Load } from '../../src/cache/in-flight-loads.ts'
import { createLruStore } from '../../src/cache/lru-store.ts'
import { type CacheAnswer, type CacheRequest, createReadThrough } from '../../src/cache/read-through.ts'
import { createRecentFailures } from '../../src/cache/recent-failures.ts'
import type { GrantReload } from '../../src/cache/reloads.ts'
import { noDirectives, type RequestDirectives } from '../../src/cache/request-directives.ts'
import { createTimers, settled } from '../harness/timers.ts'

export const slowMs = 400
/** A request that leaves everything to the cache. */
export const anyRequest: CacheRequest = { directives: noDirectives, askedBy: '', urgency: 2 }
export const noCache: RequestDirectives = { ...noDirectives, maxAgeMs: 0 }
export const onlyIfCached: RequestDirectives = { ...noDirectives, onlyIfCached: true }

/** The error of an origin that fails for a while. A stale entry may replace it. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
}
/** The error of a load that could not ask the origin. */
export class Rationed extends Error {
  override readonly name = 'Rationed'
}
/** The error of an origin that refuses to answer. A stale entry must not replace it. */
export class Refused extends Error {
  override readonly name = 'Refused'
}

/** The entry that a load gives, as far as it differs from the usual one, or its error. */
export type Outcome = Partial<Entry<string>> | Error

/**
 * A read-through cache. The test decides when its loads and timers end. By default an entry is fresh for 5 s, with stale
 * windows of 30 s and 600 s after that. A failure is kept for 1 s. Every reload is granted.
 */
export function arrange({ valueBytes = 100_000, absenceBytes = 100_000 } = {}, grantReload: GrantReload = () => true) {
  const clock = createTimers()
  const values = createLruStore<string>({ maxBytes: valueBytes, clock })
  const absences = createLruStore<string>({ maxBytes: absenceBytes, clock })
  /** `finish` ends a load that has asked the origin by then, and `bring` one that need not. */
  const loads: (Demand<string> & Record<'finish' | 'bring', (outcome: Outcome) => void> & { readonly key: string })[] =
    []
  /** What the loads brought, as texts, each with the key, and whether the value was stored by then. */
  const news: string[] = []
  const cache = createReadThrough<string>({
    values,
    absences,
    failures: createRecentFailures({ ttlMs: 1000, maxEntries: 100, clock: { ...clock, random: () => 0 } }),
    detailOf: (error) =>
      error instanceof Rationed ? 'rationed' : error instanceof Unavailable ? 'origin-failed' : null,
    slowMs,
    grantReload,
    onNews: (key, brought) => {
      const what = 'entry' in brought ? (brought.entry.value ?? 'absent') : (brought.error as Error).name
      news.push(`${key} ${what}${values.peek(key) ? ', stored' : ''}`)
    },
    clock,
  })

  function entryOf(parts: Partial<Entry<string>>): Entry<string> {
    const usual = { value: 'v', bytes: 1, freshMs: 5000, staleWhileRevalidateMs: 30_000, staleIfErrorMs: 600_000 }
    return { ...usual, generatedAt: clock.now(), ...parts }
  }

  function loadOf(key: string): Load<string> {
    return (demand) => {
      const { promise, resolve, reject } = Promise.withResolvers<Entry<string>>()
      const bring = (outcome: Outcome) => {
        if (outcome instanceof Error) reject(outcome)
        else resolve(entryOf(outcome))
      }
      const finish = (outcome: Outcome) => {
        demand.markAsked()
        bring(outcome)
      }
      loads.push({ ...demand, key, finish, bring })
      return promise
    }
  }

  /** Begins a request. The load that it starts, if any, is the last of `loads`. */
  async function begin(
    key: string,
    directives?: RequestDirectives,
    askedBy?: string,
  ): Promise<{ readonly answer: Promise<string> }> {
    const answer = (async () =>
      textOf(
        await cache.get(key, loadOf(key), {
          ...anyRequest,
          ...(directives && { directives }),
          ...(askedBy && { askedBy }),
        }),
      ))()
    const caught = answer.catch((error: Error) => error.name)
    await settled()
    return { answer: caught }
  }

  /** Makes a request, and ends the load that it starts, if any. */
  async function ask(
    key: string,
    outcome: Outcome = {},
    directives?: RequestDirectives,
    askedBy?: string,
  ): Promise<string> {
    const before = loads.length
    const { answer } = await begin(key, directives, askedBy)
    if (loads.length > before) loads.at(-1)?.finish(outcome)
    const given = await answer
    await settled()
    return given
  }

  return { cache, clock, loads, loadOf, entryOf, news, values, absences, begin, ask }
}

/** The rig with an entry of this age. */
export async function arrangeStored(ageMs: number, grantReload?: GrantReload) {
  const rig = arrange({}, grantReload)
  await rig.ask('k', { value: 'old' })
  await rig.clock.advance(ageMs)
  return rig
}

/** The value and all that the cache says about it, such as `v uri-miss stored`. */
function textOf(answer: CacheAnswer<string> | null): string {
  if (answer === null) return 'nothing'
  const { fwd, stored, collapsed, detail, reloadDenied } = answer.handling
  const words = [
    answer.entry.value ?? 'absent',
    fwd ?? 'hit',
    stored && 'stored',
    collapsed && 'collapsed',
    detail,
    reloadDenied && 'denied',
  ]
  return words.filter(Boolean).join(' ')
}
