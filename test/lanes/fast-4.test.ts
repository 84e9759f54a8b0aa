import { runLane } from './lane.ts'

await runLane('fast', 4, 4)
