import { get } from 'node:http'

/**
 * Calls `/livez` at ADMIN_HOST and ADMIN_PORT. The exit status is 0 when the service is alive, and 1, with the reason on
 * stderr, when it is not or does not respond in time. Without an operators' listener the exit status is 0. This is a
 * process of its own that starts every few seconds, so it loads nothing of the service.
 */
const timeoutMs = 1500

const { ADMIN_HOST, ADMIN_PORT } = process.env
const listening = ADMIN_HOST?.trim() || '127.0.0.1'
// A server can listen on all addresses, but a client connects to one.
const host = listening === '0.0.0.0' || listening === '::' ? '127.0.0.1' : listening
const port = Number(ADMIN_PORT?.trim() || 3001)

if (port !== 0)
  // An agent of its own uses no proxy, whatever the environment says.
  get({ host, port, path: '/livez', agent: false, signal: AbortSignal.timeout(timeoutMs) })
    .on('response', ({ statusCode }) => end(statusCode === 200 ? null : `answered with ${statusCode}`))
    .on('error', ({ message }) => end(message))

function end(reason: string | null): never {
  if (reason !== null) process.stderr.write(`/livez at ${host}, port ${port}: ${reason}\n`)
  process.exit(reason === null ? 0 : 1)
}
