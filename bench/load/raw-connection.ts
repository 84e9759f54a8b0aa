import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A response as it was received. */
export interface RawAnswer {
  /** 0 if the connection ended before the response. */
  readonly status: number
  /** The status line and the headers, without the empty line. */
  readonly head: string
  readonly headBytes: number
  readonly body: Buffer
}

export interface RawConnection {
  /** Sends a request. The response to the previous one must have arrived. */
  readonly ask: (request: string, answered: (answer: RawAnswer) => void) => void
  readonly close: () => void
}

const nothing = Buffer.alloc(0)
const lastChunk = Buffer.from('\r\n0\r\n\r\n')

/** Opens a keep-alive HTTP/1.1 connection. */
export async function openConnection(origin: string): Promise<RawConnection> {
  const { hostname, port } = new URL(origin)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  await once(socket, 'connect')
  return connectionOver(socket)
}

/** Speaks HTTP/1.1 over a socket. It parses as little as possible, to save time. */
export function connectionOver(socket: Socket): RawConnection {
  let received: Buffer = nothing
  let waiting: ((answer: RawAnswer) => void) | null = null

  function deliver(answer: RawAnswer): void {
    const answered = waiting
    waiting = null
    received = nothing
    answered?.(answer)
  }

  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    const answer = completeAnswer(received)
    if (answer) deliver(answer)
  })
  const lost = () => deliver({ status: 0, head: '', headBytes: 0, body: nothing })
  socket.on('error', lost).on('close', lost)

  return {
    ask: (request, answered) => {
      waiting = answered
      if (socket.writable) socket.write(request)
      else setImmediate(lost)
    },
    close: () => socket.destroy(),
  }
}

/** Returns null while the response is incomplete. A chunked body is not decoded; only its end is detected. */
function completeAnswer(received: Buffer): RawAnswer | null {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return null
  const head = received.toString('latin1', 0, end)
  const status = Number(head.slice(9, 12))
  const body = received.subarray(end + 4)
  if (!isComplete(head, status, body)) return null
  return { status, head, headBytes: end + 4, body }
}

function isComplete(head: string, status: number, body: Buffer): boolean {
  if (status === 304 || status === 204) return true
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length !== undefined) return body.length >= Number(length)
  return body.subarray(-lastChunk.length).equals(lastChunk)
}

/** Returns a GET request as text. */
export function requestText(origin: string, path: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ host: new URL(origin).host, ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}
