import { lstatSync, statSync } from 'node:fs'
import { type Finding, note, ok, warn } from './findings.ts'

/** The attributes of a file, after links are followed. */
export interface SeenFile {
  /** Permission bits. */
  readonly mode: number
  /** The number of the user that owns it; 0 is root. */
  readonly owner: number
  /** Whether the path itself is a link, as in a secret mounted by Kubernetes. */
  readonly isLink: boolean
}

/** Returns null when the file does not exist or is not accessible. */
export function seenFile(path: string): SeenFile | null {
  try {
    const { mode, uid } = statSync(path)
    return { mode: mode & 0o777, owner: uid, isLink: lstatSync(path).isSymbolicLink() }
  } catch {
    return null
  }
}

/** Whether users besides the owner can read or write a file that a setting names. */
export function fileFinding(setting: string, file: SeenFile): Finding {
  const mode = `mode ${file.mode.toString(8).padStart(4, '0')}`
  const cure = 'chmod 600, and make the user that runs the service its owner'
  if ((file.mode & 0o022) > 0)
    return warn(setting, `Group or others can write this file, and so replace its content (${mode}): ${cure}.`)
  if ((file.mode & 0o044) === 0) return ok(setting, `Only its owner can read this file (${mode}).`)
  return isMountedSecret(file)
    ? note(
        setting,
        `Group or others can read this file (${mode}), but it belongs to root and looks like a secret mounted into a container: run nothing else in that container.`,
      )
    : warn(setting, `Group or others can read this file (${mode}): ${cure}.`)
}

/** The owner is root. With Kubernetes the mode is 0644 or 0440 and the path is a link; with Docker the mode is 0444. */
function isMountedSecret({ mode, owner, isLink }: SeenFile): boolean {
  return owner === 0 && (isLink || (mode & 0o222) === 0)
}
