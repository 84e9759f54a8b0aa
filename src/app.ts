import accepts from '@fastify/accepts'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Dispatcher } from 'undici'
import { createOperatorsApp } from './admin/operators-app.ts'
import { createReadThrough, type Load } from './cache/read-through.ts'
import { createStore, type Store } from './cache/store.ts'
import type { Config } from './config.ts'
import { drainOnClose } from './plugins/drain.ts'
import { publishOpenApi } from './plugins/openapi.ts'
import { answerWithProblems } from './plugins/problems.ts'
import { refuseWhatNoRouteAnswers } from './plugins/request-checks.ts'
import { logRequests } from './plugins/request-log.ts'
import { useBaseHeaders } from './plugins/security-headers.ts'
import { createContactRef } from './presentation/contact.ts'
import { presentExecutionContact } from './presentation/execution-contact.ts'
import { freshnessLifetimeMs } from './presentation/lifetime.ts'
import { packContact } from './presentation/rendering.ts'
import { executionContactRoutes } from './routes/execution-contacts.ts'
import { problemRoutes } from './routes/problems.ts'
import { createServer } from './server.ts'
import { createDispatcher } from './upstream/dispatcher.ts'
import { createDriftTally } from './upstream/drift.ts'
import { createHilosClient, type HilosClient } from './upstream/hilos-client.ts'
import { version } from './version.ts'

/** What tests put in place of the real thing. */
export interface Seams {
  /** Milliseconds since 1970 UTC. */
  readonly now?: () => number
  readonly dispatcher?: Dispatcher
  /** Where presentations are remembered. */
  readonly store?: Store<Buffer>
}

export interface Service {
  /** For callers. */
  readonly callers: FastifyInstance
  /** For operators; null when turned off. */
  readonly operators: FastifyInstance | null
  /**
   * Starts both listeners.
   * @returns origin of the callers' one
   * @throws the error of `listen`, for example EADDRINUSE
   */
  readonly listen: () => Promise<string>
  /** Stops taking connections, lets requests in flight finish, and lets Hilos go. */
  readonly close: () => Promise<void>
}

/** Puts the parts together, in the order in which a request meets them. Nothing listens yet. */
export async function createService(config: Config, logger: Logger, seams: Seams = {}): Promise<Service> {
  const { now = Date.now, dispatcher = createDispatcher(config.hilos) } = seams
  const { documentsMaxBytes, absencesMaxBytes } = config.cache
  const drift = createDriftTally((kind, path) =>
    logger.warn({ kind, path }, 'a Hilos document strays from the contract'),
  )
  const hilos = createHilosClient({
    ...config.hilos,
    dispatcher,
    userAgent: `hilos-bff/${version}`,
    reportDrift: drift.report,
    now,
  })
  const contacts = createReadThrough({
    load: createLoad(config, hilos, now),
    values: seams.store ?? createStore<Buffer>({ maxBytes: documentsMaxBytes, now }),
    absences: createStore<Buffer>({ maxBytes: absencesMaxBytes, now }),
    now,
  })

  const callers = createServer(config.limits, logger)
  drainOnClose(callers)
  logRequests(callers)
  answerWithProblems(callers)
  useBaseHeaders(callers)
  refuseWhatNoRouteAnswers(callers, config.limits)
  await publishOpenApi(callers)
  await callers.register(accepts)
  executionContactRoutes(callers, { contacts, now })
  problemRoutes(callers)
  await callers.ready()

  const operators = config.operators && createOperatorsApp(logger)
  return {
    callers,
    operators,
    listen: async () => {
      if (operators) await operators.listen({ ...config.operators })
      return await callers.listen({ ...config.callers })
    },
    close: async () => {
      await callers.close()
      await operators?.close()
      await dispatcher.destroy()
    },
  }
}

/** From Hilos to what is remembered: only what the presentation names is ever stored. */
function createLoad({ contact, cache }: Config, hilos: HilosClient, now: () => number): Load<Buffer> {
  const options = { refOf: createContactRef(contact.refKey.reveal()), metaKeys: contact.metaKeys }
  return async (id) => {
    const document = await hilos.getExecutionContact(id)
    const presented = document && presentExecutionContact(document, options)
    const value = presented && packContact(presented)
    const fetchedAt = now()
    const freshMs = freshnessLifetimeMs(presented, fetchedAt, cache.lifetimeScale)
    return { value, bytes: value?.length ?? 0, fetchedAt, freshMs }
  }
}
