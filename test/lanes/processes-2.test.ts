import { runLane } from './lane.ts'

await runLane('processes', 2, 3)
