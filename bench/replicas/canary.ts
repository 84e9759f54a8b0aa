import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { uuid } from '../../sandbox/parts.ts'
import { startValkeyServer, valkeyServer } from '../../sandbox/valkey-server.ts'
import { createKey, keyHash } from '../../src/access/keys.ts'
import { freePort } from '../processes.ts'
import { canaries, replicaId } from './contacts.ts'
import { headersOf } from './fleet.ts'
import { type Part, type Stage, withFleet } from './part.ts'
import { withClient } from './server-command.ts'

const contacts = 20
const password = 'canary-password-of-the-server'

/** Whether anything personal or secret is on the server, in what it is told, in the logs, or in the metrics. */
export const canary: Part = {
  name: 'canary',
  run: async (stage) => {
    // Without compression, a dump shows texts as they are.
    const args = ['--loglevel', 'warning', '--rdbcompression', 'no', '--requirepass', password]
    const server = await startValkeyServer(valkeyServer ?? '', await freePort(), args)
    const limited = createKey()
    const callers = [{ name: 'limited', keySha256: keyHash(limited), profile: 'full', flows: [uuid(0xf1, 1)] }]
    try {
      const monitor = await record(server.port)
      const redisUrl = `redis://:${password}@127.0.0.1:${server.port}`
      const env = { LOG_LEVEL: 'debug', CACHE_LIFETIME_SCALE: '1' }
      return await withFleet(stage, { redisUrl, env, callers }, async (fleet) => {
        const shown = await use(
          stage,
          fleet.replicas.map(({ urlOf }) => urlOf),
          { authorization: `Bearer ${limited}` },
        )
        await fleet.replicas[0]?.purge(replicaId('ended', 1))
        const dump = await dumpOf(server.port)
        await fleet.replicas[1]?.purge(null)
        await sleep(500)
        const metrics = (await Promise.all(fleet.replicas.map((replica) => replica.metrics()))).join('\n')
        const places: Readonly<Record<string, Buffer>> = {
          'the keyspace': dump.bytes,
          MONITOR: monitor(),
          'the logs': Buffer.from(fleet.replicas.map((replica) => replica.log()).join('\n')),
          'the metrics': Buffer.from(metrics),
        }
        const secrets = [
          password,
          stage.hilos.token,
          limited,
          ...Object.values(headersOf(0)).map((value) => value.slice(7)),
        ]
        const words = [...Object.values(canaries), ...ids(), ...secrets]
        const found = Object.entries(places).flatMap(([place, bytes]) =>
          words.filter((word) => holds(bytes, word)).map((word) => `${word} in ${place}`),
        )
        const isSearchable =
          Object.values(canaries).filter((word) => holds(shown, word)).length >= 4 && dump.keys > contacts
        const sizes = Object.entries(places).map(([place, bytes]) => `${place} ${Math.ceil(bytes.length / 1024)} kB`)
        return {
          promises: [
            {
              text: `ids, names, numbers, texts and secrets in the keyspace, MONITOR, logs and metrics`,
              bound: '0',
              measured: found.length === 0 ? `0 in ${dump.keys} keys` : `${found.length}`,
              alone: '',
              isMet: found.length === 0 && isSearchable,
            },
          ],
          notes: [
            `Searched for ${words.length} words, in capitals or not, and in hexadecimal and base64: ${sizes.join(', ')}.`,
            ...(isSearchable
              ? []
              : ['The search is no proof: answers did not show the words, or too little was on the server.']),
            ...found.slice(0, 20),
          ],
          data: { found, sizes },
        }
      })
    } finally {
      await server.remove()
    }
  },
}

const ids = () =>
  Array.from({ length: contacts }, (_, number) => [replicaId('ended', number), replicaId('moving', number)]).flat()

/** Asks for contacts in many ways. Returns an answer that shows one. */
async function use(
  { hilos, asker, progress }: Stage,
  urls: readonly ((id: string) => string)[],
  limited: Readonly<Record<string, string>>,
): Promise<Buffer> {
  progress('asking in many ways')
  const gone = replicaId('ended', 2)
  const failing = replicaId('ended', 3)
  await hilos.rule(gone, { status: 404 })
  await hilos.rule(failing, { status: 500 })
  const asked = ids().flatMap((id, index) =>
    urls.flatMap((urlOf) => [
      { dueMs: index * 20, url: urlOf(id), headers: headersOf(index) },
      { dueMs: index * 20 + 5, url: urlOf(id), headers: limited },
    ]),
  )
  await asker.ask(asked)
  await hilos.rule(null, { status: 429, retryAfterSeconds: 1 })
  await asker.ask([{ dueMs: 0, url: urls[0]?.(replicaId('ended', 999)) ?? '', headers: headersOf(0) }])
  await hilos.rule(null, null)
  const response = await fetch(urls[0]?.(replicaId('ended', 0)) ?? '', { headers: headersOf(0) })
  return Buffer.from(await response.arrayBuffer())
}

/** Records everything that the server is told, until it is asked for what was recorded. */
async function record(port: number): Promise<() => Buffer> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => {})
  await once(socket, 'connect')
  socket.write(`AUTH ${password}\r\nMONITOR\r\n`)
  await once(socket, 'data')
  return () => {
    socket.destroy()
    return Buffer.concat(chunks)
  }
}

/** The names and dumps of all keys. */
function dumpOf(port: number): Promise<{ readonly keys: number; readonly bytes: Buffer }> {
  return withClient(
    port,
    async (client) => {
      const parts: Buffer[] = []
      let keys = 0
      for await (const names of client.scanBufferStream()) {
        for (const name of names as Buffer[]) {
          keys += 1
          parts.push(name, (await client.callBuffer('DUMP', name)) as Buffer)
        }
      }
      return { keys, bytes: Buffer.concat(parts) }
    },
    password,
  )
}

/** Whether bytes hold a word as it is, in capitals or not, without hyphens, or in hexadecimal or base64. */
function holds(bytes: Buffer, word: string): boolean {
  const text = bytes.toString('latin1').toLowerCase()
  const plain = Buffer.from(word)
  const forms = [
    plain.toString('latin1').toLowerCase(),
    plain.toString('hex'),
    ...[0, 1, 2].map((shift) => base64Core(plain, shift).toLowerCase()),
    ...(/^[0-9a-f-]{36}$/.test(word)
      ? [word.replaceAll('-', ''), Buffer.from(word.replaceAll('-', ''), 'hex').toString('latin1').toLowerCase()]
      : []),
  ]
  return forms.some((form) => text.includes(form))
}

/** The characters of base64 that depend on the word alone when `shift` bytes stand before it. */
function base64Core(plain: Buffer, shift: number): string {
  const encoded = Buffer.concat([Buffer.alloc(shift), plain])
    .toString('base64')
    .replace(/=+$/, '')
  return encoded.slice(Math.ceil((shift * 4) / 3), -1)
}
