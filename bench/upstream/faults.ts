import type { ServerResponse } from 'node:http'

/** The faults of the fake Hilos: statuses, lost connections, and incomplete, invalid or late bodies. */
const faults: readonly ((response: ServerResponse) => void)[] = [
  (response) => response.writeHead(500).end(),
  (response) => response.writeHead(503).end(),
  (response) => response.writeHead(429, { 'retry-after': '1' }).end(),
  (response) => response.destroy(),
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 }).write('{"contact":')
    setTimeout(() => response.destroy(), 10)
  },
  (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"contact":'),
  (response) => setTimeout(() => response.destroy(), 5000),
]

/** Returns a function that sends the next fault in turn. */
export function createFaults(): (response: ServerResponse) => void {
  let next = 0
  return (response) => {
    faults[next % faults.length]?.(response)
    next += 1
  }
}
