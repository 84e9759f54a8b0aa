import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startSentinel, startValkeyServer, type ValkeyServer, valkeyServer } from '../../sandbox/valkey-server.ts'
import { freePort } from '../processes.ts'
import { formatNumber } from '../statistics.ts'
import { replicaId } from './contacts.ts'
import type { PhaseSeen } from './fault-run.ts'
import { faultPromises, faultSettings, faultTable, type Phase, unaskedContact, watchFaults } from './fault-run.ts'
import { type Part, type PartFindings, sharing, withFleet } from './part.ts'
import { command } from './server-command.ts'

/** Room for a few contacts, so that some are evicted. */
const roomBytes = 100_000

const findingsOf = (what: string, seen: readonly PhaseSeen[]): PartFindings => ({
  promises: faultPromises(what, seen),
  tables: [faultTable(what, seen)],
  data: seen,
})

/** The server stops to answer, dies, comes back empty, and is full. */
export const faults: Part = {
  name: 'faults',
  run: (stage) =>
    sharing(stage, { env: faultSettings }, async (fleet, server) => {
      const purged: number[] = []
      const fill = async (policy: string) => {
        const { port } = server
        await command(port, 'CONFIG', 'SET', 'maxmemory-policy', policy)
        const used = /used_memory:(\d+)/.exec(String(await command(port, 'INFO', 'memory')))?.[1]
        const maxBytes = policy === 'noeviction' ? 1 : Number(used) + roomBytes
        await command(port, 'CONFIG', 'SET', 'maxmemory', String(maxBytes))
        await sleep(2000)
        purged.push((await fleet.replicas[1]?.purge(replicaId('ended', unaskedContact))) ?? 0)
      }
      const phases: readonly Phase[] = [
        { name: 'well', seconds: 6, isWell: true },
        { name: 'SIGSTOP', seconds: 8, begin: server.stop, isWell: false },
        { name: 'SIGCONT', seconds: 6, begin: server.go, isWell: true },
        { name: 'killed', seconds: 8, begin: server.kill, isWell: false },
        { name: 'restarted, empty', seconds: 6, begin: server.restart, isWell: true },
        { name: 'full, noeviction', seconds: 6, begin: () => fill('noeviction'), isWell: true },
        { name: 'full, allkeys-lru', seconds: 6, begin: () => fill('allkeys-lru'), isWell: true },
      ]
      const seen = await watchFaults(stage, fleet, phases)
      const { promises, ...rest } = findingsOf('server', seen)
      const isPurged = purged.every((status) => status === 204)
      const purges = {
        text: 'server: `DELETE` while it is full',
        bound: '204',
        measured: purged.join(', '),
        alone: '',
        isMet: isPurged,
      }
      return { ...rest, promises: [...promises, purges] }
    }),
}

/** A sentinel replaces the primary, which is killed, and then the next one, which is frozen. */
export const sentinel: Part = {
  name: 'sentinel',
  run: async (stage) => {
    const binary = valkeyServer ?? ''
    const servers: ValkeyServer[] = []
    const name = 'bench'
    const start = async (...args: readonly string[]) => {
      const common = ['--loglevel', 'warning', '--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1']
      const server = await startValkeyServer(binary, await freePort(), [...common, ...args])
      servers.push(server)
      return server
    }
    try {
      const primary = await start()
      const follow = ['--replicaof', '127.0.0.1', String(primary.port)]
      await start(...follow)
      await start(...follow)
      const watching = await startSentinel(sentinelOf(binary), await freePort(), name, primary.port)
      servers.push(watching)
      await untilTrue(async () => /slaves=2/.test(String(await command(watching.port, 'INFO', 'sentinel'))))
      const freezePrimary = async () => {
        const answer = (await command(watching.port, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as readonly string[]
        servers.find(({ port }) => String(port) === answer[1])?.stop()
      }
      const redisUrl = `redis+sentinel://127.0.0.1:${watching.port}/${name}`
      const seen = await withFleet(stage, { redisUrl, env: faultSettings }, (fleet) =>
        watchFaults(stage, fleet, [
          { name: 'well', seconds: 5, isWell: true },
          { name: 'primary killed', seconds: 10, begin: primary.kill, isWell: false },
          { name: 'the next one frozen', seconds: 14, begin: freezePrimary, isWell: false },
        ]),
      )
      return findingsOf('failover', seen)
    } finally {
      for (const server of servers) server.go()
      for (const server of servers) await server.remove()
    }
  },
}

/** The server is not there when the service starts. */
export const absent: Part = {
  name: 'absent',
  run: async (stage) => {
    // A server that has run and is gone, so that its port is free.
    const server = await startValkeyServer(valkeyServer ?? '', await freePort(), ['--loglevel', 'warning'])
    await server.kill()
    const redisUrl = `redis://127.0.0.1:${server.port}`
    try {
      return await withFleet(stage, { redisUrl, env: faultSettings, isAwaited: false }, async (fleet) => {
        const starts = fleet.replicas.map(({ startedInMs }) => startedInMs)
        const phases: readonly Phase[] = [
          { name: 'absent at the start', seconds: 6, isWell: false },
          { name: 'started', seconds: 6, begin: server.restart, isWell: true },
        ]
        const seen = await watchFaults(stage, fleet, phases, 'alone')
        const { promises, ...rest } = findingsOf('absent', seen)
        return {
          ...rest,
          promises: promises.filter(({ text }) => !text.includes('beyond')),
          notes: [`absent: the replicas answered after ${starts.map((ms) => formatNumber(ms, 0)).join(', ')} ms.`],
        }
      })
    } finally {
      await server.remove()
    }
  },
}

/** The server in its other mode; some packages have it as a program of another name. */
function sentinelOf(binary: string): string {
  const named = join(dirname(binary), binary.includes('valkey') ? 'valkey-sentinel' : 'redis-sentinel')
  return existsSync(named) ? named : binary
}

async function untilTrue(check: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < 200; look += 1) {
    if (await check()) return
    await sleep(50)
  }
  throw new Error('the servers do not find each other')
}
