import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { Test } from 'tap'

/** A command as the stub receives it. */
export interface Received {
  readonly name: string
  readonly args: readonly Buffer[]
  /** The connection, for replies that come later, and to hang up. */
  readonly socket: Socket
  /** The number of the connection, from 0. */
  readonly connection: number
}

/** What is sent for a command, in RESP. Null for silence. */
export type Answer = string | Buffer | null | ((received: Received) => string | Buffer | null)

export interface StubOptions {
  /** By the name of the command in capital letters. They replace those of a server that is well. */
  readonly answers?: Readonly<Record<string, Answer>>
  /** Whether it does not end a connection when the other side does, like a server that hangs. */
  readonly staysOpen?: boolean
  readonly tls?: { readonly key: string; readonly cert: string }
}

/** A bulk string. */
export const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`
/** An array of bulk strings, and of other arrays. */
export const list = (...items: readonly string[]) => `*${items.length}\r\n${items.join('')}`

/** The reply of INFO. */
export function info(changes: Readonly<Record<string, string | undefined>> = {}): string {
  const fields = { redis_version: '7.0.15', run_id: 'run-1', role: 'master', loading: '0', ...changes }
  const lines = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : `${name}:${value}\r\n`))
  return bulk(`# Server\r\n${lines.join('')}`)
}

const well: Readonly<Record<string, Answer>> = {
  AUTH: '+OK\r\n',
  CLIENT: '+OK\r\n',
  INFO: info(),
  SELECT: '+OK\r\n',
}

/**
 * Speaks the protocol of Valkey, until the test ends, and does nothing else. It proves nothing about what a server does with a
 * command: test/processes/valkey.test.ts does. A command without an answer is not answered.
 */
export async function startRespStub(t: Test, { answers = {}, tls, staysOpen = false }: StubOptions = {}) {
  const received: Received[] = []
  const sockets: Socket[] = []
  let heard = Promise.withResolvers<void>()
  const hear = () => {
    heard.resolve()
    heard = Promise.withResolvers()
  }

  const onConnection = (socket: Socket) => {
    const connection = sockets.push(socket) - 1
    let bytes: Buffer = Buffer.alloc(0)
    socket.on('error', () => {}).on('close', hear)
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      for (let parsed = parse(bytes); parsed !== null; parsed = parse(bytes)) {
        bytes = parsed.rest
        const [name, ...args] = parsed.items
        const command: Received = { name: String(name), args, socket, connection }
        received.push(command)
        const answer = { ...well, ...answers }[command.name] ?? null
        const reply = typeof answer === 'function' ? answer(command) : answer
        if (reply !== null) socket.write(reply)
      }
      hear()
    })
    hear()
  }
  const server = tls ? createTlsServer(tls, onConnection) : createServer({ allowHalfOpen: staysOpen }, onConnection)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await heard.promise
  }
  const named = (name: string) => received.filter((command) => command.name === name)
  return {
    host: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    sockets,
    named,
    /** Resolves with the command that was received as the nth of this name, from 1. */
    nth: async (name: string, nth = 1): Promise<Received> => {
      await until(() => named(name).length >= nth)
      return named(name)[nth - 1] as Received
    },
    /** Resolves when there have been so many connections. */
    connected: (count: number) => until(() => sockets.length >= count),
    /** Resolves when all connections are closed. */
    left: () => until(() => sockets.every(({ destroyed, readableEnded }) => destroyed || readableEnded)),
  }
}

/** The first command in the bytes, which is an array of bulk strings. Null when it is not complete. */
function parse(bytes: Buffer): { items: Buffer[]; rest: Buffer } | null {
  let at = 0
  const line = (): number | null => {
    const end = bytes.indexOf('\r\n', at)
    if (end === -1) return null
    const number = Number(bytes.subarray(at + 1, end))
    at = end + 2
    return number
  }
  const count = line()
  if (count === null) return null
  const items: Buffer[] = []
  while (items.length < count) {
    const length = line()
    if (length === null || bytes.length < at + length + 2) return null
    items.push(bytes.subarray(at, at + length))
    at += length + 2
  }
  return { items, rest: bytes.subarray(at) }
}
