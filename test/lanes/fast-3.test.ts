import { runLane } from './lane.ts'

await runLane('fast', 3, 4)
