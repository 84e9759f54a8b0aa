import { setTimeout as sleep } from 'node:timers/promises'
import { formatSpread, spreadOf } from '../statistics.ts'
import { replicaId } from './contacts.ts'
import { type Fleet, headersOf } from './fleet.ts'
import { monotonicMs } from './monotonic.ts'
import { type Part, type Stage, sharing } from './part.ts'

const rounds = 4
const hilosMs = 1000
const takeOverMs = 1500

/** The replica that asks Hilos dies, or freezes, while others wait for its answer. */
export const leader: Part = {
  name: 'leader',
  run: async (stage) => {
    const measured = await sharing(stage, { env: { HILOS_MAX_RPS: '5' } }, async (fleet) => ({
      killed: await lose(stage, fleet, 'SIGKILL'),
      frozen: await lose(stage, fleet, 'SIGSTOP'),
    }))
    const promise = (what: string, lost: readonly Lost[]) => {
      const late = lost.map(({ answeredMs }) => answeredMs - hilosMs)
      return {
        text: `the leader is ${what} while Hilos is slow, ${rounds} rounds: followers are answered after Hilos's time and`,
        bound: `at most ${takeOverMs} ms`,
        measured: `${formatSpread(spreadOf(late), 0)} ms, ${lost.map(({ calls }) => calls).join(', ')} calls`,
        alone: '',
        isMet: lost.every(({ answeredMs, failed }) => failed === 0 && answeredMs <= hilosMs + takeOverMs),
      }
    }
    const late = measured.frozen.filter(({ isLateUsed }) => isLateUsed).length
    return {
      promises: [
        promise('killed', measured.killed),
        promise('frozen', measured.frozen),
        {
          text: 'the frozen leader goes on: rounds in which a replica then answers with its older document',
          bound: `0 of ${rounds}`,
          measured: `${late} of ${rounds}`,
          alone: '',
          isMet: late === 0,
        },
      ],
      data: measured,
    }
  },
}

interface Lost {
  /** From the loss of the leader to the last answer of the followers. */
  readonly answeredMs: number
  readonly calls: number
  readonly failed: number
  /** Whether its document was used after it went on. */
  readonly isLateUsed: boolean
}

async function lose(stage: Stage, fleet: Fleet, signal: 'SIGKILL' | 'SIGSTOP'): Promise<Lost[]> {
  const { hilos, asker, progress } = stage
  const lost: Lost[] = []
  for (let round = 0; round < rounds; round += 1) {
    progress(`the leader gets ${signal}, round ${round + 1} of ${rounds}`)
    const id = replicaId('ended', (signal === 'SIGKILL' ? 0 : 100) + round)
    const leading = round % 3
    const followers = fleet.replicas.filter((_, index) => index !== leading)
    const request = (replica: Fleet['replicas'][number] | undefined, dueMs: number) => ({
      dueMs,
      url: replica?.urlOf(id) ?? '',
      headers: headersOf(round),
    })
    await hilos.forget()
    await hilos.rule(id, { delayMs: hilosMs })
    // The first answer of a lost leader never comes, so it is asked by this process.
    void fetch(fleet.replicas[leading]?.urlOf(id) ?? '', { headers: headersOf(round) }).catch(() => {})
    await untilAsked(stage)
    const following = asker.ask(followers.map((replica) => request(replica, 0)))
    await sleep(250)
    const lostMs = monotonicMs()
    fleet.replicas[leading]?.signal(signal)
    const answers = await following
    await hilos.rule(id, null)
    if (signal === 'SIGSTOP') fleet.replicas[leading]?.signal('SIGCONT')
    else await fleet.restart(leading)
    await fleet.untilAttached()
    // What the leader got late is stored, or refused, within this time.
    await sleep(300)
    const after = await asker.ask(fleet.replicas.map((replica) => request(replica, 0)))
    const calls = await hilos.calls()
    lost.push({
      answeredMs: Math.max(...answers.map(({ endedMs }) => endedMs)) - lostMs,
      calls: calls.length,
      failed: answers.filter(({ status }) => status !== 200).length,
      isLateUsed: after.some(({ revision }) => revision === null || revision === calls[0]?.revision),
    })
  }
  return lost
}

async function untilAsked({ hilos }: Stage): Promise<void> {
  while ((await hilos.calls()).length === 0) await sleep(10)
}
