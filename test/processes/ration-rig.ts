import type { Test } from 'tap'
import { sleep, systemClock } from '../../src/common/clock.ts'
import { sharedTierLimits } from '../../src/config/limits.ts'
import { createSharedRation } from '../../src/tier/shared-ration.ts'
import {
  type Reply,
  type Script,
  type SharedEvent,
  type SharedServer,
  SharedServerError,
} from '../../src/tier/shared-server.ts'
import { connectValkey } from '../../src/tier/valkey.ts'
import { createRateLimiter, type Slot } from '../../src/upstream/calls/rate-limiter.ts'
import { createTimers, settled } from '../harness/timers.ts'
import { serverAt, startServer } from '../harness/valkey.ts'

const key = (name: string) => `{test}:${name}`

const setClock: Script = { name: 'set clock', waitMs: 10_000, lua: "return redis.call('SET', KEYS[1], ARGV[1])" }
const reportHere: Script = {
  name: 'report',
  waitMs: 250,
  lua: "#!lua\nlocal time = redis.call('TIME')\nredis.call('HSET', KEYS[1], ARGV[1], time[1] * 1000 + time[2] / 1000)",
}

export interface RationRigOptions {
  readonly maxCallsPerSecond: number
  readonly random: () => number
  /** The longest time of a request to the server, and of its reply, in milliseconds. */
  readonly maxLatencyMs: number
  readonly expectedReplicas: number
}

/**
 * Replicas that share a ration on a real server. All clocks are moved by hand, that of the server too, so that each run is the
 * same, however busy this machine is. Requests to the server take random times.
 */
export async function createRationRig(t: Test, options: RationRigOptions) {
  const { maxCallsPerSecond, random, maxLatencyMs } = options
  const process = await startServer(t)
  const valkey = await connectValkey({
    server: serverAt(process.port),
    clock: systemClock,
    limits: { ...sharedTierLimits, maxInFlight: 10_000 },
  })
  t.teardown(valkey.close)
  const running = new Set<Promise<Reply>>()
  const untilSettled = async () => {
    await settled()
    while (running.size > 0) {
      await Promise.all(running)
      await settled()
    }
  }
  const clock = createTimers(1_000_000, untilSettled)
  const serverStart = 1_800_000_000_000
  const sentAt: number[] = []
  const scripts = new Map<Script, Script>()
  let runs = 0
  let isFrozen = false
  const thawed: (() => void)[] = []
  let skewMs = 0

  /** Runs a script on the server, whose clock is set to ours. */
  function runNow(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<Reply> {
    const lua = script.lua.replace("redis.call('TIME')", "{ 0, redis.call('GET', 'clock') * 1000 }")
    const timed = scripts.get(script) ?? { ...script, lua, waitMs: 10_000 }
    scripts.set(script, timed)
    const set = valkey.run(setClock, ['clock'], [serverStart + clock.elapsed() + skewMs])
    const reply = valkey.run(timed, keys, args)
    const both = Promise.all([set, reply]).then(([, result]) => result)
    running.add(both)
    both.finally(() => running.delete(both)).catch((error: unknown) => t.fail(String(error)))
    return both
  }

  function createReplica(name: string) {
    const hooks = {
      attaching: [] as Parameters<SharedServer['onAttaching']>[0][],
      attached: [] as (() => void)[],
      detached: [] as (() => void)[],
      event: [] as ((event: SharedEvent) => void)[],
    }
    let isAttached = false
    let isLinked = false
    let drop = Promise.withResolvers<never>()
    drop.promise.catch(() => {})
    let arrival = 0
    let runId = 0
    const slots: string[] = []
    const latency = () => random() ** 3 * maxLatencyMs
    const runLinked: SharedServer['run'] = async (script, keys, args) => {
      if (!isLinked) throw new SharedServerError('detached')
      // Requests on one connection arrive in their order.
      arrival = Math.max(arrival, clock.elapsed() + latency())
      const arrived = sleep(clock, arrival - clock.elapsed())
      const linkedTo = runId
      const replied = arrived
        .then(() => (isFrozen ? new Promise<void>((resolve) => thawed.push(resolve)) : undefined))
        // What was sent to a server that has ended gets no reply.
        .then(() => (linkedTo === runs ? runNow(script, keys, args) : new Promise<never>(() => {})))
      const reply = replied.then(async (result) => {
        await sleep(clock, latency())
        return result
      })
      const late = sleep(clock, script.waitMs).then(() => Promise.reject(new SharedServerError('timeout')))
      late.catch(() => {})
      return await Promise.race([reply, late, drop.promise])
    }
    const run: SharedServer['run'] = async (...given) => {
      if (!isAttached) throw new SharedServerError('detached')
      return await runLinked(...given)
    }
    const server: SharedServer = {
      isAttached: () => isAttached,
      runId: () => `run${runId}`,
      replicas: () =>
        isAttached ? replicas.filter((each) => each.server.isAttached()).length : options.expectedReplicas,
      key,
      run,
      onAttaching: (prepare) => void hooks.attaching.push(prepare),
      onAttached: (hear) => void hooks.attached.push(hear),
      onDetached: (hear) => void hooks.detached.push(hear),
      onEvent: (hear) => void hooks.event.push(hear),
      isHeardByAll: () => Promise.resolve(true),
    }
    const report = () => {
      if (isLinked) runLinked(reportHere, [key('m')], [name]).catch(() => {})
      clock.schedule(report, 1000)
    }
    clock.schedule(report, 1000)
    const hilos = {
      maxCallsPerSecond,
      rateMargin: 0.05,
      timeoutMs: 5000,
      maxConnections: 16,
      maxQueuedCalls: 100,
      maxWaitMs: 2500,
    }
    const ration = createSharedRation(
      {
        ...hilos,
        server,
        events: { encode: ({ kind }) => ['kind', kind, 'by', name] },
        observer: { slot: (verdict) => slots.push(verdict) },
        limits: sharedTierLimits,
        clock,
      },
      { changed: () => limiter.serveQueue(), paused: (ms) => pauses.push(ms) },
    )
    const limiter = createRateLimiter({ ...hilos, clock }, ration)
    const pauses: number[] = []
    const calls = { asked: 0, sent: 0, refused: 0 }
    let callers = 0

    /** A call to Hilos. */
    async function call(connectMs: number, answerMs: number): Promise<void> {
      calls.asked += 1
      callers += 1
      let slot: Slot
      try {
        slot = await limiter.slot({ askedBy: new Set([String(callers % 50)]), urgency: () => 2 })
      } catch {
        calls.refused += 1
        return
      }
      if (connectMs > 0) await sleep(clock, connectMs)
      slot.sent()
      sentAt.push(clock.elapsed())
      calls.sent += 1
      await sleep(clock, answerMs)
      slot.release()
    }

    return {
      server,
      ration,
      limiter,
      call,
      calls,
      pauses,
      slots,
      tell: (event: SharedEvent) => {
        for (const hear of hooks.event) hear(event)
      },
      /** @param catchingUpMs how long it takes to hear the events that were missed */
      attach: async (isMemoryLost = false, catchingUpMs = random() * 500): Promise<void> => {
        isLinked = true
        runId = runs
        drop = Promise.withResolvers<never>()
        drop.promise.catch(() => {})
        arrival = 0
        try {
          await runLinked(reportHere, [key('m')], [name])
          for (const prepare of hooks.attaching) await prepare(runLinked, { isMemoryLost, hasMissed: false })
          await Promise.race([sleep(clock, catchingUpMs), drop.promise])
        } catch {
          isLinked = false
          return
        }
        isAttached = true
        for (const hear of hooks.attached) hear()
      },
      detach: () => {
        if (!isLinked) return
        isLinked = false
        drop.reject(new SharedServerError('closed'))
        if (!isAttached) return
        isAttached = false
        for (const hear of hooks.detached) hear()
      },
    }
  }

  const replicas: ReturnType<typeof createReplica>[] = []
  return {
    clock,
    sentAt,
    replicas,
    add: () => {
      const replica = createReplica(`replica-${replicas.length}`)
      replicas.push(replica)
      return replica
    },
    ask: process.ask,
    /** The server loses its memory, and does not restart. */
    flush: () => runNow({ name: 'flush', waitMs: 1000, lua: "redis.call('FLUSHALL') return 1" }, [], []),
    /** The server restarts, empty. */
    restart: async () => {
      runs += 1
      await valkey.run({ name: 'flush', waitMs: 1000, lua: "redis.call('FLUSHALL') return 1" }, [], [])
    },
    freeze: () => {
      isFrozen = true
    },
    thaw: () => {
      isFrozen = false
      for (const go of thawed.splice(0)) go()
    },
    skew: (ms: number) => {
      skewMs += ms
    },
    runNow,
  }
}

/** The most of these times that lie in one second, the end not included. */
export function worstSecond(times: readonly number[], windowMs = 1000): number {
  const sorted = [...times].sort((one, other) => one - other)
  let first = 0
  return sorted.reduce((most, at, index) => {
    while (at - (sorted[first] as number) >= windowMs) first += 1
    return Math.max(most, index - first + 1)
  }, 0)
}

/** The same numbers from 0 to 1 for the same seed. */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
