import { runLane } from './lane.ts'

await runLane('fast', 2, 4)
