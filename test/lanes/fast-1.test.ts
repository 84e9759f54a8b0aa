import { runLane } from './lane.ts'

await runLane('fast', 1, 4)
