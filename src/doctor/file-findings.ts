import { lstatSync, statSync } from 'node:fs'
import { type Finding, note, ok, warn } from './findings.ts'

/** What the file system says of a file, links followed. */
export interface SeenFile {
  /** Permission bits. */
  readonly mode: number
  /** Number of the user it belongs to; 0 is root. */
  readonly owner: number
  /** Whether the path itself is a link, as in a secret mounted by Kubernetes. */
  readonly isLink: boolean
}

/** Null where there is no such file, or none that may be looked at. */
export function seenFile(path: string): SeenFile | null {
  try {
    const { mode, uid } = statSync(path)
    return { mode: mode & 0o777, owner: uid, isLink: lstatSync(path).isSymbolicLink() }
  } catch {
    return null
  }
}

/** Who besides its owner can read or write a file that a setting names. */
export function fileFinding(setting: string, file: SeenFile): Finding {
  const mode = `mode ${file.mode.toString(8).padStart(4, '0')}`
  const cure = 'chmod 600, with the user that runs the service as its owner'
  if ((file.mode & 0o022) > 0)
    return warn(setting, `Group or others can write this file, and so replace what it says (${mode}): ${cure}.`)
  if ((file.mode & 0o044) === 0) return ok(setting, `Only its owner can read this file (${mode}).`)
  return isMountedSecret(file)
    ? note(
        setting,
        `Group or others can read this file (${mode}), but it is root’s and looks like a secret mounted into a container: let nothing else run in there.`,
      )
    : warn(setting, `Group or others can read this file (${mode}): ${cure}.`)
}

/** Kubernetes mounts secrets as root’s, 0644 or 0440, behind a link; Docker as root’s and 0444. */
function isMountedSecret({ mode, owner, isLink }: SeenFile): boolean {
  return owner === 0 && (isLink || (mode & 0o222) === 0)
}
