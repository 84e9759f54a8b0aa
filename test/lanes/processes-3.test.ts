import { runLane } from './lane.ts'

await runLane('processes', 3, 3)
