import { executionContact, inbound, outbound, stepDefinition, stepExecution, uuid } from '../../sandbox/parts.ts'

/** How a contact of the stamping Hilos lives: `ended` a year ago and fresh for an hour, or `moving` and fresh for three seconds. */
export type Life = 'ended' | 'moving'

const families: Readonly<Record<Life, number>> = { ended: 0xa0, moving: 0xa1 }

/** Returns the id of a contact by its number. */
export function replicaId(life: Life, number: number): string {
  return uuid(families[life], number)
}

/** What must neither be on the server nor in logs and metrics. It is in each document, and callers with the profile `full` see most of it. */
export const canaries = {
  name: 'Kanarinia',
  number: '5215598765432',
  text: 'The parcel is behind the green canary cage',
  email: 'kanarinia@correo-ejemplo.mx',
  flowName: 'Canary delivery',
  secret: 'whsec_canary_8Kq2',
} as const

const messages = 24

/** Returns a document of about 15 kB as Hilos sends it. Its revision is the contact's last name, so answers show it. */
export function documentOf(id: string, revision: number): string {
  const isMoving = id.startsWith(replicaId('moving', 0).slice(0, 8))
  const at = '2025-11-22T10:00:04Z'
  const write = (index: number) =>
    (index % 2 === 0 ? outbound : inbound)(`m${index}`, `${canaries.text}, ${index}. `.repeat(4), at)
  const document = executionContact(id, {
    status: isMoving ? 'RUNNING' : 'COMPLETED',
    status_last_change_on: isMoving ? new Date().toISOString() : at,
    execution_steps: [
      stepExecution(1, stepDefinition(1, { body: 'Hola {{contact.first_name}}' }), {
        messages: Array.from({ length: messages }, (_, index) => write(index)),
      }),
    ],
  })
  Object.assign(document.contact as object, {
    first_name: canaries.name,
    last_name: String(revision),
    phone: canaries.number,
    canonical_phone: `+${canaries.number}`,
    email: canaries.email,
  })
  Object.assign(document.flow as object, { name: canaries.flowName, trigger_config: { secret: canaries.secret } })
  return JSON.stringify(document)
}

const shownRevision = new RegExp(`"${canaries.name} (\\d+)"`)

/** Returns the revision of the document in an answer of the service; null if it has none. */
export function revisionIn(body: string): number | null {
  const revision = shownRevision.exec(body)?.[1]
  return revision === undefined ? null : Number(revision)
}
