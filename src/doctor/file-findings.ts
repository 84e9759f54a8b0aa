import type { SeenFile } from '../common/bounded-file.ts'
import type { SettingsFiles } from '../config/settings.ts'
import { type Finding, note, ok, warn } from './findings.ts'

/** Whether users besides the owner can read or write the files that settings name. A pipe is gone when it was read. */
export function fileFindings(files: SettingsFiles): Finding[] {
  return Object.entries(files).flatMap(([setting, { seen }]) =>
    seen === null || seen.isPipe ? [] : [fileFinding(setting, seen)],
  )
}

/** Sentences for the log about those that are not safe. */
export function fileWarnings(files: SettingsFiles): string[] {
  return fileFindings(files)
    .filter(({ level }) => level === 'warn')
    .map(({ subject, message }) => `${subject}: ${message}`)
}

function fileFinding(setting: string, file: SeenFile): Finding {
  const mode = `mode ${file.mode.toString(8).padStart(4, '0')}`
  const cure = 'chmod 600, and make the user that runs the service its owner'
  if ((file.mode & 0o022) > 0)
    return warn(setting, `Group or others can write this file, and so replace its content (${mode}): ${cure}.`)
  if (setting === 'REDIS_CA_FILE')
    return ok(setting, `Only its owner can write this file, which holds no secret (${mode}).`)
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
