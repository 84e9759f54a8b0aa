import accepts from '@fastify/accepts'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Authenticate } from '../access/authentication.ts'
import type { Config } from '../config/config.ts'
import type { Contacts } from '../contacts/contacts.ts'
import { type Drain, drainable } from '../lifecycle/drain.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { callerOf, identifyCallers } from '../plugins/caller-auth.ts'
import { limitCallers } from '../plugins/caller-limits.ts'
import { allowOrigins } from '../plugins/cross-origin.ts'
import { shedLoad } from '../plugins/load-shedding.ts'
import { publishOpenApi } from '../plugins/openapi.ts'
import { answerWithProblems } from '../plugins/problems.ts'
import { refuseWhatNoRouteAnswers } from '../plugins/request-checks.ts'
import { logRequests } from '../plugins/request-log.ts'
import { useBaseHeaders } from '../plugins/security-headers.ts'
import { executionContactRoutes } from '../routes/execution-contacts.ts'
import { problemRoutes } from '../routes/problems.ts'
import { createSpells } from '../telemetry/bursts.ts'
import { createDisclosureRecord } from '../telemetry/disclosures.ts'
import type { Metrics, ShedReason } from '../telemetry/metrics.ts'
import { createServer } from './server.ts'

export interface CallersAppOptions {
  readonly config: Config
  readonly logger: Logger
  readonly metrics: Metrics
  readonly lifecycle: Lifecycle
  readonly contacts: Pick<Contacts, 'reads' | 'renderings'>
  readonly authenticate: Authenticate
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
  /** Milliseconds of a clock that is never set back. */
  readonly elapsed: () => number
}

export interface CallersApp {
  readonly callers: FastifyInstance
  readonly drain: Drain
}

/** The callers' listener: all that a request meets, in the order in which it does. */
export async function createCallersApp(options: CallersAppOptions): Promise<CallersApp> {
  const { config, logger, metrics, lifecycle, contacts, authenticate, now, elapsed } = options
  const { onDrop, onShed } = createTurnedAway(options)

  const callers = createServer(config.limits, logger, {
    onRequestOver: metrics.requestOver,
    onUnreadable: metrics.unreadable,
  })
  callers.server.on('drop', onDrop)
  const drain = drainable(callers, lifecycle)
  logRequests(callers, metrics.requestOver)
  answerWithProblems(callers)
  useBaseHeaders(callers)
  await allowOrigins(callers, config.corsOrigins)
  await shedLoad(callers, { ...config.shedding, elapsed, onShed })
  refuseWhatNoRouteAnswers(callers, config.limits)
  await publishOpenApi(callers)
  await callers.register(accepts)
  const { countRequest, countGuess } = await limitCallers(callers, config.access)
  const identify = identifyCallers(callers, { authenticate, onGuess: countGuess })
  executionContactRoutes(callers, {
    ...contacts,
    guards: [identify, countRequest],
    callerOf,
    onAnswer: (request, use) => {
      request.cacheUse = use
    },
    onDisclosure: createDisclosureRecord(logger, config.disclosureLogLevel, config.contact.refKey),
    reloadFloorMs: config.cache.reloadFloorMs,
    now,
  })
  problemRoutes(callers)
  await callers.ready()
  return { callers, drain }
}

/** Who is turned away before anything is done for them is counted, and a line in the log for each spell of it. */
function createTurnedAway({ config, logger, metrics }: CallersAppOptions) {
  const { quietMs } = config.shedding
  const dropped = createSpells(logger, {
    begins: 'connections are dropped',
    ends: 'connections are taken again',
    quietMs,
  })
  const shed = createSpells(logger, { begins: 'requests are shed', ends: 'requests are taken again', quietMs })
  return {
    onDrop: () => {
      metrics.connectionDropped()
      dropped('max-connections')
    },
    onShed: (reason: ShedReason) => {
      metrics.requestShed(reason)
      shed(reason)
    },
  }
}
