import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

/** One end of a connection in memory, with as much of a socket as node:http, undici and the service use. */
class MemorySocket extends Duplex {
  readonly remoteAddress = '127.0.0.1'
  readonly localAddress = '127.0.0.1'
  bytesRead = 0
  peer: MemorySocket | null = null

  setTimeout = this.same
  setNoDelay = this.same
  setKeepAlive = this.same
  ref = this.same
  unref = this.same

  same(): this {
    return this
  }

  destroySoon(): void {
    this.end()
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.peer?.receive(chunk)
    done()
  }

  override _writev(chunks: { readonly chunk: Buffer }[], done: () => void): void {
    this.peer?.receive(Buffer.concat(chunks.map(({ chunk }) => chunk)))
    done()
  }

  override _final(done: () => void): void {
    this.#leave()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#leave()
    done(error)
  }

  receive(chunk: Buffer): void {
    this.bytesRead += chunk.length
    this.push(chunk)
  }

  /** Lets the other end read to its end. */
  #leave(): void {
    if (this.peer?.destroyed === false) this.peer.push(null)
    this.peer = null
  }
}

/** Returns both ends of a connection. What is written to one can be read from the other at once, without the system. */
export function createSocketPair(): readonly [Socket, Socket] {
  const [near, far] = [new MemorySocket(), new MemorySocket()]
  near.peer = far
  far.peer = near
  return [near as unknown as Socket, far as unknown as Socket]
}
