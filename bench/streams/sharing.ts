import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createKey, keyHash } from '../../src/access/keys.ts'
import { profiles } from '../../src/access/profile.ts'
import type { Bench } from '../section.ts'
import { pacedId } from '../upstream/document.ts'
import { openReader } from './event-reader.ts'
import { startLiveService } from './live-service.ts'

export const watchers = 50
const watchSeconds = 30
export const movingRuns = 7
const changesOfEach = 4
const callsPerSecond = 5
/** No other part of the section watches the runs that are changed. */
const firstChanged = 100_000

export interface Sharing {
  /** The calls for a run with many watchers of all profiles, and for one with one, in the same time. */
  readonly calls: { readonly shared: number; readonly single: number }
  /** How long it took until the watcher of a run saw a change, in milliseconds. */
  readonly delaysMs: readonly number[]
}

/** Many watchers of one run, and then one of each of seven runs that the bench changes. */
export async function measureSharing(bench: Bench): Promise<Sharing> {
  const keys = profiles.map((profile) => ({ profile, key: createKey() }))
  const callersFile = join(mkdtempSync(join(bench.scratch, 'live-')), 'callers.json')
  const callers = keys.map(({ profile, key }) => ({ name: profile, profile, keySha256: keyHash(key) }))
  writeFileSync(callersFile, JSON.stringify({ callers }))
  const service = await startLiveService(bench, {
    HILOS_MAX_RPS: String(callsPerSecond),
    CACHE_LIFETIME_SCALE: '1',
    CALLERS_FILE: callersFile,
  })
  const open = (id: string, index: number) =>
    openReader({
      origin: service.origin,
      path: `/execution-contacts/${id}/events?view=timeline`,
      headers: { authorization: `Bearer ${keys[index % keys.length]?.key}` },
    })

  async function callsForWatchers() {
    bench.progress(`${watchers} watchers of one run`)
    const [sharedId, singleId] = [pacedId('moving', 1), pacedId('moving', 2)]
    const readers = [await open(singleId, 0)]
    for (let index = 0; index < watchers; index += 1) readers.push(await open(sharedId, index))
    const { arrivals } = await bench.upstream.recordDuring(() => sleep(watchSeconds * 1000))
    for (const reader of readers) reader.close()
    const callsFor = (wanted: string) => arrivals.filter(({ id }) => id === wanted).length
    return { shared: callsFor(sharedId), single: callsFor(singleId) }
  }

  /** All runs change within each round, at random. The rounds are so short that all of them keep moving. */
  async function delaysOfChanges() {
    bench.progress(`changes of ${movingRuns} moving runs`)
    const ids = Array.from({ length: movingRuns }, (_, number) => pacedId('longQuiet', firstChanged + number))
    for (const id of ids) await bench.upstream.change(id)
    const readers = await Promise.all(ids.map(open))
    const delays = ids.map(async (id, index) => {
      const seen: number[] = []
      for (let round = 0; round < changesOfEach; round += 1) {
        await sleep(4000 + Math.random() * 6000)
        const before = readers[index]?.counts.state ?? 0
        const changedAt = Date.now()
        await bench.upstream.change(id)
        while (readers[index]?.counts.state === before) await sleep(5)
        seen.push((readers[index]?.lastStateAt() ?? Number.NaN) - changedAt)
      }
      return seen
    })
    const all = (await Promise.all(delays)).flat()
    for (const reader of readers) reader.close()
    return all
  }

  try {
    return { calls: await callsForWatchers(), delaysMs: await delaysOfChanges() }
  } finally {
    await service.stop()
  }
}
