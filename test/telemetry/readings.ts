import type { Readings } from '../../src/telemetry/gauges.ts'

export const store = { entries: 1, bytes: 2, maxBytes: 3, evictions: 4 }
/** A value of each reading, of a service with a shared tier. */
export const readings: Readings = {
  build: { version: '1.2.3', commit: null, node: 'v24.0.0' },
  isReady: () => true,
  isDraining: () => false,
  requestsInFlight: () => 5,
  connections: async () => 6,
  hilos: () => ({ circuitBreaker: 'half-open', callsInFlight: 7, callsQueued: 8 }),
  cache: () => ({ contacts: store, ownAbsences: { entries: 9, bytes: 10, maxBytes: 11, evictions: 12 } }),
  drift: () => [{ kind: 'unknown_field', path: 'contact."x"', count: 13 }],
  tokenAgeMs: () => 14_500,
  parts: () => ({ hilosToken: { ok: true }, callersFile: null, hilos: { ok: false } }),
  watching: () => ({ streams: 17, polls: 18, contacts: 19, lateness: 20.5 }),
  sharedTier: () => ({ ok: true, replicas: 21 }),
  logLinesLost: () => ({ info: 15, warning: 16 }),
}
