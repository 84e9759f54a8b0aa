import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { createDocuments, type MakeDocument } from './documents.ts'
import { type FaultName, faultIds, faults } from './faults.ts'
import { createSky, type Weather, weatherRoutes } from './scenario.ts'

const gzipAsync = promisify(gzip)
const route = '/channel/whatsapp/flow-execution-contact/'

/** A request the sandbox got, for tests to look at. */
export interface SeenRequest {
  readonly method: string
  readonly url: string
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[]
}

export interface SandboxOptions {
  /** The one key it accepts at first. */
  readonly token: string
  /** Milliseconds since 1970 UTC; the clock by default. */
  readonly now?: () => number
  /** Put into every text a fault answers with. */
  readonly faultText?: string
  /** How long the slow fault, and slow weather, takes, in milliseconds; 2000 by default. */
  readonly slowMs?: number
}

export interface Sandbox {
  /** By id in lower case; add, replace and delete as you like. */
  readonly documents: Map<string, MakeDocument>
  /** Faults by id in lower case; these go first. */
  readonly faults: Map<string, FaultName>
  readonly requests: SeenRequest[]
  /** From now on it accepts this key and no other. */
  readonly setToken: (token: string) => void
  /** For all documents; fine at first. Also by `PUT /weather/{name}`. */
  readonly setWeather: (weather: Weather) => void
  /**
   * Starts it on loopback.
   * @param port 0 for any that is free
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
  const sky = createSky({ slowMs, closing: closing.signal })
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
    const fault = scriptedFault ? faults[scriptedFault] : await sky.nextFault()
    if (fault) {
      const elsewhere = `http://${request.host}${route}${id}/`
      return fault(reply, { id, text: faultText, slowMs, elsewhere, closing: closing.signal })
    }
    const makeDocument = documents.get(id)
    if (!makeDocument) return reply.code(404).send({ detail: 'No FlowExecutionContact matches the given query.' })
    return sendJson(request, reply, await makeDocument(now()))
  })

  weatherRoutes(app, sky)

  return {
    documents,
    faults: scripted,
    requests,
    setToken: (next) => {
      accepted = next
    },
    setWeather: sky.setWeather,
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

/** As Django REST Framework tells a missing key from a wrong one. */
function refusalOf(authorization: string | undefined, token: string): string | null {
  if (!authorization?.startsWith('Token ')) return 'Authentication credentials were not provided.'
  return authorization === `Token ${token}` ? null : 'Invalid token.'
}

/** As Django answers a path that no route matches. */
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
