import { spawnSync } from 'node:child_process'

/** Whether a program can be started by its name. */
export function isInstalled(command: string): boolean {
  return spawnSync(command, ['-V']).error === undefined
}
