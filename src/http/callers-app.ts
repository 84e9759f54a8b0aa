import type { Logger } from 'pino'
import type { Authenticate } from '../access/authentication.ts'
import type { Clock } from '../common/clock.ts'
import type { Config } from '../config/config.ts'
import type { Contacts } from '../contacts/contacts.ts'
import { createDrain } from '../lifecycle/drain.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { authenticateCallers } from '../plugins/caller-auth.ts'
import { limitCallers } from '../plugins/caller-limits.ts'
import { allowOrigins } from '../plugins/cross-origin.ts'
import { documentOf, serveDocumentation } from '../plugins/documentation.ts'
import { shedLoad } from '../plugins/load-shedding.ts'
import { describeRoutes } from '../plugins/openapi.ts'
import { answerWithProblems } from '../plugins/problems.ts'
import { checkRequests } from '../plugins/request-checks.ts'
import { logRequests } from '../plugins/request-log.ts'
import { useBaseHeaders } from '../plugins/security-headers.ts'
import { serveStatic } from '../plugins/static-answers.ts'
import { createStreams } from '../plugins/streams.ts'
import { contactBatchRoute } from '../routes/execution-contact-batch.ts'
import { contactEventsRoute } from '../routes/execution-contact-events.ts'
import { executionContactRoutes } from '../routes/execution-contacts.ts'
import { frontPageRoutes } from '../routes/front-page.ts'
import { createHoldRequest } from '../routes/held-request.ts'
import { problemRoutes } from '../routes/problems.ts'
import { createBurstLog } from '../telemetry/bursts.ts'
import type { LogState } from '../telemetry/log-output.ts'
import type { Metrics, ShedReason } from '../telemetry/metrics.ts'
import { createServer } from './server.ts'

export interface CallersAppOptions {
  readonly config: Config
  readonly logger: Logger
  readonly logState: LogState
  readonly metrics: Metrics
  readonly lifecycle: Lifecycle
  readonly contacts: Pick<Contacts, 'read' | 'readSeveral' | 'represent' | 'watch'>
  readonly authenticate: Authenticate
  readonly clock: Clock
}

/** Creates the callers' app. A request passes the plugins in the order of the lines. */
export async function createCallersApp(options: CallersAppOptions) {
  const { config, logger, logState, metrics, lifecycle, contacts, authenticate, clock } = options
  const { onDrop, onShed } = createRejectionLog(options)

  const { app: callers, connections } = createServer(config.limits, logger, {
    ...{ lifecycle, onDrop, corsOrigins: config.corsOrigins },
    onRequestOver: metrics.requestOver,
    onMalformed: metrics.problemSent,
  })
  const recordDisclosure = logRequests(callers, config.disclosureLogLevel, metrics.requestOver)
  answerWithProblems(callers)
  useBaseHeaders(callers)
  await allowOrigins(callers, config.corsOrigins)
  shedLoad(callers, { ...config.shedding, clock, isLogFull: logState.isFull, onShed })
  const { countRequest, countRefused } = limitCallers(callers, { ...config.access, clock })
  checkRequests(callers, config.limits)
  describeRoutes(callers)
  const guard = authenticateCallers(callers, {
    authenticate,
    onCaller: ({ raw }) => connections.trust(raw),
    onRefused: countRefused,
  })
  const streams = createStreams({ ...config.streams, isDraining: () => lifecycle.state() === 'draining', clock })
  const reading = {
    guards: [guard, countRequest],
    readContact: contacts.read,
    represent: contacts.represent,
    watch: contacts.watch,
    authenticate,
    recordDisclosure,
    streams,
    clock,
  }
  const holdRequest = createHoldRequest({
    ...reading,
    ...config.streams,
    onHold: ({ request, raw }, ms) => {
      request.isWatch = true
      connections.allowSilence(raw, ms)
    },
  })
  executionContactRoutes(callers, { ...reading, holdRequest })
  const { maxBatch, maxRequestsPerSecond } = config.access
  contactBatchRoute(callers, {
    ...reading,
    readContacts: contacts.readSeveral,
    onItemFailed: metrics.problemSent,
    // Each id counts as a request, so one with more could never be answered.
    maxIds: Math.min(maxBatch, maxRequestsPerSecond || maxBatch),
  })
  if (config.streams.maxOfCaller > 0)
    contactEventsRoute(callers, {
      ...reading,
      limits: config.streams,
      isLogFull: logState.isFull,
      onStream: ({ request, raw }) => {
        request.isWatch = true
        // It has lines of its own.
        request.isRecorded = true
        connections.countAsStream(raw)
      },
      onState: metrics.stateSent,
      onEnd: metrics.streamOver,
    })
  problemRoutes(callers, 'caller_rate_limited', 'overloaded')
  if (config.docs === 'callers') {
    serveStatic(callers, '/openapi.json', documentOf(callers))
    serveDocumentation(callers, callers)
  }
  const documentation = { docs: 'The API, to read and to try', 'openapi.json': 'The same as OpenAPI 3.1' }
  frontPageRoutes(callers, 'For callers', config.docs === 'callers' ? documentation : {})
  await callers.ready()
  return { callers, streams, drain: createDrain(callers.server, connections, lifecycle, clock, streams.drain) }
}

/** Counts the connections and requests that are rejected before any work is done, and logs each burst of them. */
function createRejectionLog({ config, logger, metrics, clock }: CallersAppOptions) {
  const { quietMs } = config.shedding
  const burstLog = (startMessage: string, endMessage: string) =>
    createBurstLog(logger, { startMessage, endMessage, quietMs, clock })
  const dropped = burstLog('dropping connections', 'no longer dropping connections')
  const shed = burstLog('shedding requests', 'no longer shedding requests')
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
