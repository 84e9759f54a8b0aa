import { randomUUID } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createKey, keyHash } from '../../src/access/keys.ts'
import type { Bench, Findings, Section } from '../section.ts'
import { withSubjects } from '../started-subjects.ts'
import { formatNumber } from '../statistics.ts'
import { serviceWith } from '../subjects/service.ts'
import { runningId } from '../upstream/document.ts'

/** Requests of the attacker per second. */
const attackRates = [0, 6, 45]
const seconds = 40
const pollMs = 3000
const delayMs = 100
const maxCallsPerSecond = 5

const keys = { honest: createKey(), attacker: createKey() }
type CallerName = keyof typeof keys

/** One caller asks for random ids, and another one for new ids and a run that it watches. */
export const fair: Section = {
  name: 'fair',
  run: async (bench) => {
    const kind = serviceWith({
      name: 'hilos-bff',
      log: 'pipe',
      env: {
        HILOS_MAX_RPS: String(maxCallsPerSecond),
        CALLER_MAX_RPS: '50',
        CACHE_LIFETIME_SCALE: '1',
        CALLERS_FILE: writeCallers(bench.scratch),
      },
    })
    await bench.upstream.delay(delayMs)
    const attacks: Attack[] = []
    // Each attack has a service of its own, so that none begins with the queue of another.
    for (const rate of attackRates)
      await withSubjects([kind], bench, async ({ subjects: [subject] }) => {
        if (subject) attacks.push(await attackAt(rate, subject.origin, bench))
      })
    await bench.upstream.delay(0)
    return findingsOf(attacks)
  },
}

interface Reply {
  /** 0 without a response. */
  readonly status: number
  /** In seconds; NaN without one. */
  readonly age: number
}

interface Attack {
  readonly rate: number
  readonly newIds: readonly Reply[]
  readonly polls: readonly Reply[]
  readonly attacker: readonly Reply[]
  readonly callsPerSecond: number
}

async function attackAt(rate: number, origin: string, { upstream }: Bench): Promise<Attack> {
  const get = (caller: CallerName, id: string) => getContact(origin, caller, id)
  const before = await upstream.calls()
  const ended = sleep(seconds * 1000).then(() => upstream.calls())
  const [newIds, polls, attacker, after] = await Promise.all([
    atRate(1, () => get('honest', randomUUID())),
    atRate(1000 / pollMs, () => get('honest', runningId)),
    atRate(rate, () => get('attacker', randomUUID())),
    ended,
  ])
  return { rate, newIds, polls, attacker, callsPerSecond: (after - before) / seconds }
}

/** Sends requests when they are due, even if earlier ones have no response yet. Returns all replies. */
async function atRate(perSecond: number, send: () => Promise<Reply>): Promise<Reply[]> {
  const began = performance.now()
  const replies: Promise<Reply>[] = []
  for (let index = 0; index < perSecond * seconds; index += 1) {
    await sleep(Math.max(0, began + (index * 1000) / perSecond - performance.now()))
    replies.push(send())
  }
  return await Promise.all(replies)
}

async function getContact(origin: string, caller: CallerName, id: string): Promise<Reply> {
  try {
    const headers = { authorization: `Bearer ${keys[caller]}` }
    const response = await fetch(`${origin}/execution-contacts/${id}`, { headers })
    await response.arrayBuffer()
    return { status: response.status, age: Number(response.headers.get('age') ?? Number.NaN) }
  } catch {
    return { status: 0, age: Number.NaN }
  }
}

function writeCallers(scratch: string): string {
  const path = join(mkdtempSync(join(scratch, 'fair-')), 'callers.json')
  const callers = Object.entries(keys).map(([name, key]) => ({ name, keySha256: keyHash(key), profile: 'viewer' }))
  writeFileSync(path, JSON.stringify({ callers }))
  return path
}

const answeredPercent = (replies: readonly Reply[]) =>
  (100 * replies.filter(({ status }) => status === 200).length) / replies.length
const overloaded = (replies: readonly Reply[]) => replies.filter(({ status }) => status === 503).length
const agesOf = ({ polls }: Attack) => polls.map(({ age }) => age).filter((age) => !Number.isNaN(age))
const largestAge = (attack: Attack) => Math.max(...agesOf(attack))
const meanAge = (attack: Attack) => agesOf(attack).reduce((sum, age) => sum + age, 0) / agesOf(attack).length

function findingsOf(attacks: readonly Attack[]): Findings {
  return {
    title: 'One caller with random ids',
    notes: [
      `A caller asks for a new id once a second, and polls one running run every ${pollMs / 1000} s. An attacker, another ` +
        `caller, asks for random ids, all of which exist. Each row is ${seconds} s of a service that makes ` +
        `${maxCallsPerSecond} calls a second. Hilos takes ${delayMs} ms.`,
    ],
    tables: [
      {
        columns: [
          'attack, requests a second',
          'new ids answered, %',
          '503 to new ids',
          'watched run, largest age, s',
          'mean age, s',
          'attack answered, %',
          'calls a second',
        ],
        rows: attacks.map((attack) => [
          String(attack.rate),
          formatNumber(answeredPercent(attack.newIds), 0),
          String(overloaded(attack.newIds)),
          formatNumber(largestAge(attack), 0),
          formatNumber(meanAge(attack), 1),
          attack.rate === 0 ? '' : formatNumber(answeredPercent(attack.attacker), 0),
          formatNumber(attack.callsPerSecond, 1),
        ]),
      },
    ],
    goals: attacks.flatMap((attack) => [
      {
        text: `new ids of the other caller that fail at ${attack.rate} requests a second`,
        limit: 10,
        measured: 100 - answeredPercent(attack.newIds),
        unit: '%',
        digits: 0,
      },
      {
        text: `age of the watched run at ${attack.rate} requests a second`,
        limit: 15,
        measured: largestAge(attack),
        unit: 's',
        digits: 0,
      },
    ]),
    data: attacks,
  }
}
