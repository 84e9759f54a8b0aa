import { env } from 'node:process'
import { runFiles } from './lane.ts'

/** The files that were named on the command line of `npm test`, a path on each line. */
await runFiles((env.TEST_FILES ?? '').split('\n'))
