import type { FastifyInstance } from 'fastify'
import Negotiator from 'negotiator'
import { documents } from './documents.ts'
import { faults } from './faults.ts'
import { scenarioTexts } from './scenario.ts'

interface Listed {
  readonly name: string
  readonly id: string
  readonly text: string
}

const listOf = (table: Readonly<Record<string, Omit<Listed, 'name'>>>): Listed[] =>
  Object.entries(table).map(([name, { id, text }]) => ({ name, id, text }))

/** Everything that the sandbox can do, from the tables by which it does it. */
const contents = { documents: listOf(documents), faults: listOf(faults), scenarios: scenarioTexts }

const linesOf = (rows: readonly Omit<Listed, 'name'>[]) => rows.map(({ id, text }) => `  ${id}  ${text}.\n`).join('')

const asText = `A fake Hilos. All that it says is made up.

Documents, by id. Every other id is a 404.
${linesOf(contents.documents)}
Faults, by id. Hilos does this whatever the scenario is.
${linesOf(contents.faults)}
Scenarios: what Hilos does with each document. GET /scenario says which one it is, PUT /scenario/NAME changes it.
${linesOf(contents.scenarios.map(({ name, text }) => ({ id: name.padEnd(12), text })))}`

/** `GET /`: the list of all documents, faults and scenarios, as JSON for programs that ask for it and as text for people. */
export function contentsRoute(app: FastifyInstance): void {
  app.get('/', ({ headers: { accept = '*/*' } }, reply) => {
    reply.header('vary', 'Accept')
    const type = new Negotiator({ headers: { accept } }).mediaType(['text/plain', 'application/json'])
    return type === 'application/json' ? reply.send(contents) : reply.type('text/plain; charset=utf-8').send(asText)
  })
}
