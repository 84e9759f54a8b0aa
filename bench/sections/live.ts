import type { Bench, Findings, Goal, Section } from '../section.ts'
import { formatNumber, quantileOf } from '../statistics.ts'
import { type Budget, measureBudget, type PaceCalls, watchedRuns } from '../streams/budget.ts'
import {
  type IdleCost,
  idleStreams,
  measureIdle,
  measureStalled,
  type StalledCost,
  stalledStreams,
} from '../streams/cost.ts'
import { measureSharing, movingRuns, type Sharing, watchers } from '../streams/sharing.ts'

/** The rate of an account of Hilos, at which opening all streams takes minutes; and ten times that, for whole rounds. */
const budgets = [
  { callsPerSecond: 5, seconds: 120 },
  { callsPerSecond: 50, seconds: 150 },
] as const
const kibibyte = 1024

/** Streams of runs that go on: what they cost, and how often Hilos is asked about each. */
export const live: Section = { name: 'live', run: measure }

async function measure(bench: Bench): Promise<Findings> {
  const idle = await measureIdle(bench)
  const stalled = await measureStalled(bench)
  const sharing = await measureSharing(bench)
  const measured: Budget[] = []
  for (const options of budgets) measured.push(await measureBudget(bench, options))
  return findingsOf(idle, stalled, sharing, measured)
}

const callsPerRun = ({ calls, runs }: PaceCalls) => calls / runs
const ofPace = ({ paces }: Budget, pace: string) => paces.find((each) => each.pace === pace) as PaceCalls
const watchedPerSecond = ({ paces, seconds }: Budget) => paces.reduce((sum, { calls }) => sum + calls, 0) / seconds
const slowestCold = ({ cold }: Budget) => Math.max(...cold.map(({ ms }) => ms))

function findingsOf(idle: IdleCost, stalled: StalledCost, sharing: Sharing, measured: readonly Budget[]): Findings {
  const delays = [...sharing.delaysMs].sort((a, b) => a - b)
  const { calls } = sharing
  return {
    title: 'Streams of runs that go on',
    notes: [
      `${formatNumber(watchedRuns, 0)} streams of as many runs, and every two seconds a request for another run that is not in ` +
        'the cache. Each row is of a service with this `HILOS_MAX_RPS`, after all streams were open.',
      'Calls at once are those within any second, which is shortened by the longest delay of the fake Hilos, by which an arrival ' +
        'may be late.',
      'At 5 calls a second a round takes longer than it is measured, so runs that were not asked about are no sign there; the ' +
        'largest lateness is. The rates are calls for one run in a minute.',
      `Of the stalled readers there are ${stalledStreams} and not a thousand, because the kernel holds 4 MB for each. Their run ` +
        `has a new state of ${formatNumber(stalled.stateBytes / 1e6, 1)} MB every three seconds. Memory is the heap and what it ` +
        'refers to, after a full collection.',
    ],
    tables: [
      {
        columns: [
          'HILOS_MAX_RPS',
          'opening, s',
          'measured, s',
          'most calls at once',
          'in any ms',
          'for watching, a second',
          'moving, a minute',
          'quiet',
          'long quiet',
          'not asked',
          'lateness',
          'by the formula',
          'cold GET, slowest ms',
        ],
        rows: measured.map((budget) => [
          String(budget.callsPerSecond),
          formatNumber(budget.openingSeconds, 0),
          formatNumber(budget.seconds, 0),
          String(budget.mostAtOnce),
          formatNumber(budget.windowMs, 0),
          formatNumber(watchedPerSecond(budget), 2),
          ...budget.paces.map((each) => formatNumber((60 * callsPerRun(each)) / budget.seconds, 2)),
          formatNumber(
            budget.paces.reduce((sum, { unasked }) => sum + unasked, 0),
            0,
          ),
          formatNumber(budget.lateness, 1),
          formatNumber(budget.proportion, 1),
          formatNumber(slowestCold(budget), 0),
        ]),
      },
      {
        columns: ['Cost', 'measured'],
        rows: [
          ['an idle stream, resident KiB', formatNumber(idle.residentBytesEach / kibibyte, 1)],
          ['an idle stream, heap KiB', formatNumber(idle.heapBytesEach / kibibyte, 1)],
          ['a stalled reader, heap KiB', formatNumber(stalled.heapBytesEach / kibibyte, 1)],
          ['a stalled reader, closed after s', formatNumber(stalled.goneAfterSeconds, 1)],
          ['1,000 heartbeats a second, % of a core', formatNumber(idle.percentOfCore, 1)],
          [`calls for a run with ${watchers} watchers, three profiles`, String(calls.shared)],
          ['calls for a run with one, in the same time', String(calls.single)],
          [`a change of one of ${movingRuns} moving runs, median ms`, formatNumber(quantileOf(delays, 0.5), 0)],
          ['slowest ms', formatNumber(delays.at(-1) ?? Number.NaN, 0)],
        ],
      },
    ],
    goals: [...measured.flatMap(budgetGoals), ...costGoals(idle, stalled, sharing)],
    data: { idle, stalled, sharing, budgets: measured },
  }
}

/** Stalled readers cost no more than idle ones if they share the few states that the kernel has not taken yet. */
function statesHeld(idle: IdleCost, stalled: StalledCost): number {
  return ((stalled.heapBytesEach - idle.heapBytesEach) * stalledStreams) / stalled.stateBytes
}

function budgetGoals(budget: Budget): Goal[] {
  const { callsPerSecond, cold, proportion, lateness, mostAtOnce, windowMs, paces } = budget
  const at = `at ${callsPerSecond} calls a second`
  const refused = cold.filter(({ status }) => status !== 200).length
  const isWholeRound = budget.seconds > 60 * proportion
  return [
    {
      text: `calls in any ${windowMs} ms ${at}`,
      limit: callsPerSecond,
      measured: mostAtOnce,
      unit: 'calls',
      digits: 0,
    },
    {
      text: `calls for watching ${at}`,
      limit: callsPerSecond / 2,
      measured: watchedPerSecond(budget),
      unit: 'a second',
      digits: 2,
    },
    {
      text: `calls for a quiet run, compared with one that moves, ${at}`,
      limit: 0.25,
      measured: callsPerRun(ofPace(budget, 'quiet')) / callsPerRun(ofPace(budget, 'moving')),
      unit: 'times',
      digits: 2,
    },
    {
      text: `lateness of a run ${at}, compared with the formula`,
      limit: 1.25,
      measured: lateness / proportion,
      unit: 'times',
      digits: 2,
    },
    ...(isWholeRound
      ? [
          {
            text: `runs that were not asked about ${at}`,
            limit: 0,
            measured: paces.reduce((sum, { unasked }) => sum + unasked, 0),
            unit: 'runs',
            digits: 0,
          },
        ]
      : []),
    { text: `a cold GET ${at}`, limit: 1500, measured: slowestCold(budget), unit: 'ms', digits: 0 },
    { text: `cold GETs that are refused ${at}`, limit: 0, measured: refused, unit: 'requests', digits: 0 },
  ]
}

function costGoals(idle: IdleCost, stalled: StalledCost, { calls, delaysMs }: Sharing): Goal[] {
  return [
    {
      text: `memory of each of ${formatNumber(idleStreams, 0)} idle streams`,
      limit: 40,
      measured: idle.residentBytesEach / kibibyte,
      unit: 'KiB',
      digits: 1,
    },
    { text: '1,000 heartbeats a second', limit: 5, measured: idle.percentOfCore, unit: '% of a core', digits: 1 },
    {
      text: `states held by ${stalledStreams} stalled readers, beyond the memory of idle streams`,
      limit: 10,
      measured: statesHeld(idle, stalled),
      unit: 'states',
      digits: 1,
    },
    {
      text: 'time until a stalled reader is disconnected',
      // Streams are looked at once a second, and the bench looks a little less often than four times.
      limit: stalled.limitSeconds + 2,
      measured: stalled.goneAfterSeconds,
      unit: 's',
      digits: 1,
    },
    {
      text: `more calls for ${watchers} watchers than for one`,
      limit: 1,
      measured: calls.shared - calls.single,
      unit: 'calls',
      digits: 0,
    },
    {
      text: 'time until a change is seen',
      limit: 4000,
      measured: Math.max(...delaysMs),
      unit: 'ms',
      digits: 0,
    },
  ]
}
