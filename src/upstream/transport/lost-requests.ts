import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/** The bytes that each connection had received when its last request was sent. */
const receivedBefore = new WeakMap<Socket, number>()
/** The errors of connections that had been of use before, and were lost before the first byte of an answer. */
const losses = new WeakSet<object>()
let isWatching = false

/**
 * Whether a request failed because its connection, on which an earlier one had been answered, was lost before the first
 * byte of an answer. Servers close idle connections, so this says nothing about the server.
 * @param error that of the request
 */
export function isLossOfKeptConnection(error: unknown): boolean {
  return losses.has(error as object)
}

/** Begins to watch the connections of undici, once for the process. The errors of undici alone do not tell. */
export function watchForLosses(): void {
  if (isWatching) return
  isWatching = true
  // https://github.com/nodejs/undici/blob/main/docs/docs/api/DiagnosticsChannel.md
  subscribe('undici:client:sendHeaders', (message) => {
    const { socket } = message as { socket: Socket }
    if (!receivedBefore.has(socket)) socket.prependListener('error', (error) => noteIfLoss(socket, error))
    receivedBefore.set(socket, socket.bytesRead)
  })
}

function noteIfLoss(socket: Socket, error: Error): void {
  if (socket.bytesRead > 0 && socket.bytesRead === receivedBefore.get(socket)) losses.add(error)
}
