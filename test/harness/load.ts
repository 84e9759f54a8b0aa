import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** A service as a load balancer knows it. */
export interface Target {
  readonly origin: string
  /** Of its operators' listener. */
  readonly operators: string
}

export interface Figures {
  readonly requests: number
  /** What went wrong with each request that was not answered with 200. */
  readonly failures: readonly string[]
  /** Connections opened so far. */
  readonly connections: number
  /** Requests answered by each target, by origin. */
  readonly answered: ReadonlyMap<string, number>
}

export interface Load {
  /** One more target; it gets connections as soon as it is ready. */
  readonly add: (target: Target) => void
  readonly figures: () => Figures
  /** Resolves when the requests under way are over. */
  readonly stop: () => Promise<void>
}

export interface LoadOptions {
  /** All of them are ready before the first connection is opened. */
  readonly targets: readonly Target[]
  /** How many there are at any time, each with one request after the other. */
  readonly connections: number
  readonly paths: readonly string[]
  /** Between two requests of a connection: up to so long. */
  readonly thinkMs: number
  /** Between two looks at whether a target is ready. */
  readonly pollMs: number
}

/**
 * Callers behind a load balancer: new connections go to targets whose `/readyz` is 200, in turn; each is used until it is
 * closed or said to be. Nothing is ever retried.
 */
export async function startLoad({ targets, connections, paths, thinkMs, pollMs }: LoadOptions): Promise<Load> {
  const ready = new Set<string>()
  const answered = new Map<string, number>()
  const failures: string[] = []
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
  }

  for (const target of targets) working.push(poll(target))
  while (ready.size < targets.length) await sleep(pollMs)
  for (let index = 0; index < connections; index += 1) working.push(work())
  return {
    add: (target) => void working.push(poll(target)),
    figures: () => ({ requests, failures, connections: opened, answered }),
    stop: async () => {
      isOver = true
      await Promise.all(working)
    },
  }
}

/** What went wrong, or null. */
function ask(url: string, agent: Agent): Promise<string | null> {
  return new Promise((resolve) => {
    get(url, { agent }, (response) => {
      response.on('error', ({ message }) => resolve(message))
      response.on('end', () => resolve(response.statusCode === 200 ? null : String(response.statusCode)))
      response.resume()
    }).on('error', ({ message }) => resolve(message))
  })
}
