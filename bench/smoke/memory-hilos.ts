import net from 'node:net'
import { benchId, splitDocument } from '../upstream/document.ts'
import { createSplicedGzip } from '../upstream/spliced-gzip.ts'
import { createSocketPair } from './memory-socket.ts'

/** The fake Hilos of the smoke run. Its responses are made in advance, so that it needs next to no CPU time. */
export interface MemoryHilos {
  /** For `HILOS_BASE_URL`. */
  readonly baseUrl: string
  /** Makes the responses about these documents, by their numbers. It forgets those that were made before with `forget`. */
  readonly prepare: (numbers: readonly number[]) => void
  readonly forget: (numbers: readonly number[]) => void
  /** The body of the response about a document, compressed. */
  readonly bodyOf: (number: number) => Buffer
  /** The number of calls so far. */
  readonly calls: () => number
}

const idInPath = /\/flow-execution-contact\/([0-9a-f-]{36})/

/** Creates the fake Hilos. From then on, all connections that this process opens lead to it, in memory. */
export async function createMemoryHilos(): Promise<MemoryHilos> {
  const { before, after } = await splitDocument()
  const gzipOf = createSplicedGzip(after)
  const responses = new Map<string, Buffer>()
  const bodyOf = (number: number) => gzipOf(`${before}${benchId(number)}`)
  let calls = 0

  function connect(): net.Socket {
    const [near, far] = createSocketPair()
    far.on('data', (request: Buffer) => {
      const id = idInPath.exec(request.toString('latin1', 0, 200))?.[1] ?? ''
      const response = responses.get(id)
      if (response === undefined) throw new Error(`the smoke run prepared no response about ${id}`)
      calls += 1
      far.write(response)
    })
    queueMicrotask(() => near.emit('connect'))
    return near
  }
  net.connect = connect as typeof net.connect

  return {
    baseUrl: 'http://127.0.0.1:1/channel/whatsapp',
    prepare: (numbers) => {
      for (const number of numbers) responses.set(benchId(number), responseWith(bodyOf(number)))
    },
    forget: (numbers) => {
      for (const number of numbers) responses.delete(benchId(number))
    },
    bodyOf,
    calls: () => calls,
  }
}

function responseWith(gzip: Buffer): Buffer {
  const head = [
    'HTTP/1.1 200 OK',
    'content-type: application/json',
    'vary: Accept, Accept-Encoding',
    'content-encoding: gzip',
    `content-length: ${gzip.length}`,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), gzip])
}
