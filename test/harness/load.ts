import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** A replica behind the load balancer. */
export interface Target {
  readonly origin: string
  /** The origin of its operators' listener. */
  readonly operators: string
}

export interface Figures {
  readonly requests: number
  /** One sentence per request without a response with status 200. */
  readonly failures: readonly string[]
  /** Responses by origin. */
  readonly answered: ReadonlyMap<string, number>
}

export interface Load {
  /** Adds a target. It gets connections as soon as it is ready. */
  readonly add: (target: Target) => void
  readonly figures: () => Figures
  /** Whether the target counts as ready or still has connections. */
  readonly isUsing: (target: Target) => boolean
  /** Resolves when the last responses have been received. */
  readonly stop: () => Promise<void>
}

export interface LoadOptions {
  /** The first connection is opened when all of them are ready. */
  readonly targets: readonly Target[]
  /** The number of connections at any time. Each sends one request after the other. */
  readonly connections: number
  readonly paths: readonly string[]
  /** The longest pause between two requests of a connection. */
  readonly thinkMs: number
  /** The interval at which each target is asked whether it is ready. */
  readonly pollMs: number
}

/**
 * Simulates callers behind a load balancer. New connections go in turn to the targets with status 200 of `/readyz`. Each is
 * used until the target closes it or announces that. No request is retried.
 */
export async function startLoad({ targets, connections, paths, thinkMs, pollMs }: LoadOptions): Promise<Load> {
  const ready = new Set<string>()
  const answered = new Map<string, number>()
  const failures: string[] = []
  const open = new Map<string, number>()
  const working: Promise<void>[] = []
  let [requests, opened, isOver] = [0, 0, false]

  async function poll({ origin, operators }: Target): Promise<void> {
    while (!isOver) {
      const status = await fetch(`${operators}/readyz`).then(
        (reply) => reply.body?.cancel().then(() => reply.status),
        () => null,
      )
      if (status === 200) ready.add(origin)
      else ready.delete(origin)
      await sleep(pollMs)
    }
  }

  async function work(): Promise<void> {
    while (!isOver) {
      const origin = [...ready][opened % ready.size]
      if (origin !== undefined) await useConnection(origin)
      else await sleep(pollMs)
    }
  }

  async function useConnection(origin: string): Promise<void> {
    opened += 1
    open.set(origin, (open.get(origin) ?? 0) + 1)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    do {
      const path = paths[requests % paths.length]
      requests += 1
      const trouble = await ask(`${origin}${path}`, agent)
      if (trouble === null) answered.set(origin, (answered.get(origin) ?? 0) + 1)
      else failures.push(`${trouble} from ${origin}`)
      await sleep(Math.random() * thinkMs)
    } while (!isOver && Object.keys(agent.freeSockets).length > 0)
    agent.destroy()
    open.set(origin, (open.get(origin) ?? 0) - 1)
  }

  for (const target of targets) working.push(poll(target))
  while (ready.size < targets.length) await sleep(pollMs)
  for (let index = 0; index < connections; index += 1) working.push(work())
  return {
    add: (target) => void working.push(poll(target)),
    figures: () => ({ requests, failures, answered }),
    isUsing: ({ origin }) => ready.has(origin) || (open.get(origin) ?? 0) > 0,
    stop: async () => {
      isOver = true
      await Promise.all(working)
    },
  }
}

/** Returns null when the response has status 200, otherwise the status or the error. */
function ask(url: string, agent: Agent): Promise<string | null> {
  return new Promise((resolve) => {
    get(url, { agent }, (response) => {
      response.on('error', ({ message }) => resolve(message))
      response.on('end', () => resolve(response.statusCode === 200 ? null : String(response.statusCode)))
      response.resume()
    }).on('error', ({ message }) => resolve(message))
  })
}
