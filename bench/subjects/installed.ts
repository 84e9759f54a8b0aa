import { spawnSync } from 'node:child_process'

/** Whether a program is installed in the PATH. */
export function isInstalled(command: string): boolean {
  return spawnSync(command, ['-V']).error === undefined
}
