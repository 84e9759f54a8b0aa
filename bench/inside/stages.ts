import { argv, stdout } from 'node:process'
import { benchId, splitDocument } from '../upstream/document.ts'
import { createSplicedGzip } from '../upstream/spliced-gzip.ts'
import { runStages, type Stage } from './run-stages.ts'

/** Microseconds per document for each stage, one value for each round. */
export type StageTimes = Readonly<Record<Stage, readonly number[]>>

// This process measures the stages. Its argument is the number of rounds, and its output is `StageTimes` as JSON.
const rounds = Number(argv[2])
const documentsPerRound = 1000
const { before, after } = await splitDocument()
const gzipOf = createSplicedGzip(after)

function timeRound(): Record<Stage, number> {
  const micros = { unzip: 0, parse: 0, read: 0, present: 0, serialize: 0, render: 0 }
  for (let number = 0; number < documentsPerRound; number += 1) {
    const id = benchId(number)
    const gzip = gzipOf(`${before}${id}`)
    let last = performance.now()
    runStages(gzip, id, (stage) => {
      const now = performance.now()
      micros[stage] += ((now - last) * 1000) / documentsPerRound
      last = now
    })
  }
  return micros
}

timeRound()
timeRound()
const times: Record<Stage, number[]> = { unzip: [], parse: [], read: [], present: [], serialize: [], render: [] }
for (let round = 0; round < rounds; round += 1)
  for (const [stage, micros] of Object.entries(timeRound())) times[stage as Stage].push(micros)
stdout.write(JSON.stringify(times))
