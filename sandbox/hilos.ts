import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { contentsRoute } from './contents.ts'
import { createDocuments, type MakeDocument } from './documents.ts'
import { type FaultName, faultIds, faults } from './faults.ts'
import { createScenarioControl, type Scenario, scenarioRoutes } from './scenario.ts'

const gzipAsync = promisify(gzip)
const route = '/channel/whatsapp/flow-execution-contact/'

/** The token of the demo and of `npm run sandbox`. It opens nothing but the sandbox. */
export const publicToken = 'sandbox-token'

/** A request that the sandbox received, for tests. */
export interface SeenRequest {
  readonly method: string
  readonly url: string
  /** Names and values in turn, as they were received. */
  readonly rawHeaders: readonly string[]
}

export interface SandboxOptions {
  /** The only token that it accepts at first. */
  readonly token: string
  /** Milliseconds since 1970 UTC; the clock by default. */
  readonly now?: () => number
  /** A text that every fault with a body includes. */
  readonly faultText?: string
  /** The delay of the slow fault and of the scenario `slow`, in milliseconds; 2000 by default. */
  readonly slowMs?: number
}

export interface Sandbox {
  /** By id in lower case. Tests can add, replace and delete them. */
  readonly documents: Map<string, MakeDocument>
  /** Faults by id in lower case. They take precedence over documents. */
  readonly faults: Map<string, FaultName>
  readonly requests: SeenRequest[]
  /** From now on it accepts this token and no other. */
  readonly setToken: (token: string) => void
  /** For all documents; `healthy` at first. `PUT /scenario/{name}` does the same. */
  readonly setScenario: (scenario: Scenario) => void
  /**
   * Starts it on loopback.
   * @param port 0 for any free port
   * @returns its base URL, for `HILOS_BASE_URL`
   */
  readonly listen: (port?: number) => Promise<string>
  readonly close: () => Promise<void>
}

/** A fake Hilos: made-up documents and scripted faults over a real HTTP connection. */
export function createSandbox({
  token,
  now = Date.now,
  faultText = 'made-up trouble',
  slowMs = 2000,
}: SandboxOptions): Sandbox {
  const documents = createDocuments(now())
  const scripted = new Map(Object.entries(faultIds).map(([name, id]) => [id as string, name as FaultName]))
  const requests: SeenRequest[] = []
  const closing = new AbortController()
  let accepted = token
  const scenario = createScenarioControl({ slowMs, closing: closing.signal })
  const app = Fastify({ forceCloseConnections: true })

  app.addHook('onRequest', async ({ method, url, raw }) => {
    requests.push({ method, url, rawHeaders: raw.rawHeaders })
  })
  app.setNotFoundHandler((_request, reply) => sendHtmlNotFound(reply))
  app.get(`${route}:id`, async (request: FastifyRequest<{ Params: { id: string } }>, reply) => {
    const refusal = refusalOf(request.headers.authorization, accepted)
    if (refusal) return reply.code(401).header('www-authenticate', 'Token').send({ detail: refusal })
    const id = request.params.id.toLowerCase()
    const scriptedFault = scripted.get(id)
    const fault = scriptedFault ? faults[scriptedFault].send : await scenario.nextFault()
    if (fault) {
      const redirectUrl = `http://${request.host}${route}${id}/`
      return fault(reply, { id, text: faultText, slowMs, redirectUrl, closing: closing.signal })
    }
    const makeDocument = documents.get(id)
    if (!makeDocument) return reply.code(404).send({ detail: 'No FlowExecutionContact matches the given query.' })
    return sendJson(request, reply, await makeDocument(now()))
  })

  scenarioRoutes(app, scenario)
  contentsRoute(app)

  return {
    documents,
    faults: scripted,
    requests,
    setToken: (next) => {
      accepted = next
    },
    setScenario: scenario.setScenario,
    listen: async (port = 0) => {
      const address = await app.listen({ host: '127.0.0.1', port })
      return `${address}/channel/whatsapp`
    },
    close: async () => {
      closing.abort()
      await app.close()
    },
  }
}

/** Django REST Framework has different texts for a missing and a wrong token. */
function refusalOf(authorization: string | undefined, token: string): string | null {
  if (!authorization?.startsWith('Token ')) return 'Authentication credentials were not provided.'
  return authorization === `Token ${token}` ? null : 'Invalid token.'
}

/** The response of Django to a path that no route matches. */
function sendHtmlNotFound(reply: FastifyReply): FastifyReply {
  return reply
    .code(404)
    .type('text/html; charset=utf-8')
    .send('<!doctype html>\n<title>Not Found</title><h1>Not Found</h1>')
}

async function sendJson(request: FastifyRequest, reply: FastifyReply, document: unknown): Promise<FastifyReply> {
  const json = JSON.stringify(document)
  reply.type('application/json').header('vary', 'Accept, Accept-Encoding').header('server', 'sandbox')
  if (!/\bgzip\b/.test(String(request.headers['accept-encoding']))) return reply.send(json)
  return reply.header('content-encoding', 'gzip').send(await gzipAsync(json))
}
