import { runLane } from './lane.ts'

await runLane('processes', 1, 3)
