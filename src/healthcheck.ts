import { get } from 'node:http'

/**
 * Asks `/livez` of the operators' listener, wherever ADMIN_HOST and ADMIN_PORT put it, and ends with 0 when it is well, or
 * with 1 and a reason when it is not or takes too long. Without that listener there is nothing to ask, and that is well.
 * A process of its own, started every few seconds for as long as the service runs, so it loads nothing of the service.
 */
const timeoutMs = 1500

const { ADMIN_HOST, ADMIN_PORT } = process.env
const given = ADMIN_HOST?.trim() || '127.0.0.1'
// One can listen on every address, but asks at one.
const host = given === '0.0.0.0' || given === '::' ? '127.0.0.1' : given
const port = Number(ADMIN_PORT?.trim() || 3001)

if (port !== 0)
  get({ host, port, path: '/livez', signal: AbortSignal.timeout(timeoutMs) })
    .on('response', ({ statusCode }) => end(statusCode === 200 ? null : `answered with ${statusCode}`))
    .on('error', ({ message }) => end(message))

function end(reason: string | null): never {
  if (reason !== null) process.stderr.write(`/livez at ${host}, port ${port}: ${reason}\n`)
  process.exit(reason === null ? 0 : 1)
}
