import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { parseCallers } from '../access/callers-file.ts'
import { createKey, keyHash } from '../access/keys.ts'
import { hilosTokenForm } from '../config/settings.ts'
import { readSecret, type Terminal } from './read-secret.ts'
import { addFiles, namesIn, Refusal } from './secrets-folder.ts'

const usage =
  'Usage: node dist/main.js keygen NAME [--profile viewer|agent|full] [--flows ID,ID] [--secrets FOLDER [--admin-token]]'

/** The number of the user of the image, and of its group. */
const imageUser = 1000

/**
 * Makes a key for a caller, which is shown once and not stored, and its entry for the callers file. With `--secrets` it makes the
 * files of a deployment in a folder instead, with this entry, and leaves files that exist as they are.
 * @param args the arguments after `keygen`, of which only the folder is repeated
 * @param terminal where the Hilos token comes from, if its file is to be made
 * @param user the number of the user of this process; undefined on Windows. Root gives the files to the user of the image.
 * @returns the exit status, and the text for standard output with 0, or for standard error with 1
 */
export async function keygen(args: readonly string[], terminal: Terminal, user: number | undefined) {
  try {
    return { status: 0, text: `${await done(args, terminal, user)}\n` }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason = error instanceof Refusal ? message : `Nothing was made, because the folder cannot be used (${code}).`
    return { status: 1, text: `${reason}\n` }
  }
}

/** Returns what was done. @throws Refusal, or Error with the code of the system */
async function done(args: readonly string[], terminal: Terminal, user: number | undefined): Promise<string> {
  const { name, profile, flows, secrets, hasAdminToken } = readArguments(args)
  const key = createKey()
  const entry = { name, keySha256: keyHash(key), profile, flows }
  const callers = JSON.stringify({ callers: [entry] }, null, 2)
  const read = parseCallers(callers)
  if ('problems' in read) throw misuse(read.problems.join('; ').replaceAll('callers[0].', ''))
  const keyText = `The key. Give it only to the caller; it is not shown again:\n\n${key}`
  if (secrets === undefined) return `${keyText}\n\n${entryTitle}\n\n${JSON.stringify(entry, null, 2)}`

  const folder = resolve(secrets)
  const present = namesIn(folder)
  const files = Object.entries({
    'hilos-token': present.includes('hilos-token') ? '' : await readToken(terminal),
    'contact-ref-key': randomSecret(),
    ...(hasAdminToken && { 'admin-token': randomSecret() }),
    'callers.json': callers,
  })
  const made = Object.fromEntries(files.filter(([name]) => !present.includes(name)))
  const kept = files.flatMap(([name]) => (present.includes(name) ? [name] : []))
  addFiles(folder, made, user === 0 ? imageUser : null)
  return [
    `New in ${folder}: ${Object.keys(made).join(', ') || 'nothing'}. Left as it was: ${kept.join(', ') || 'nothing'}.`,
    ...(user === 0 || user === imageUser ? [] : [advice(folder)]),
    kept.includes('callers.json') ? noKey : keyText,
  ].join('\n\n')
}

const entryTitle = 'The entry. Add it to "callers" in the file that CALLERS_FILE names:'
const noKey =
  'No key was made, because there is a callers file. Without --secrets, this command makes a key and its entry.'

function advice(folder: string): string {
  const quoted = `'${folder.replaceAll("'", `'\\''`)}'`
  return `User ${imageUser}, who runs the image, cannot read them yet:\n\nsudo chown -R ${imageUser}:${imageUser} ${quoted}`
}

async function readToken(terminal: Terminal): Promise<string> {
  const token = await readSecret(terminal, 'The Hilos token, which is not shown: ')
  if (hilosTokenForm.test(token)) return token
  throw new Refusal('A Hilos token has 1 to 4096 characters of visible ASCII, without spaces and line breaks.')
}

function randomSecret(): string {
  return randomBytes(32).toString('base64url')
}

function readArguments(args: readonly string[]) {
  try {
    const { positionals, values } = parseArgs({ args: [...args], allowPositionals: true, options })
    const { profile, flows, secrets, 'admin-token': hasAdminToken } = values
    const [name, ...others] = positionals
    if (others.length === 0 && secrets !== '' && (secrets !== undefined || !hasAdminToken))
      return { name, profile, flows: flows?.split(','), secrets, hasAdminToken }
  } catch {
    // The message of the error repeats an argument.
  }
  throw misuse('The arguments are not valid')
}

const options = {
  profile: { type: 'string', default: 'viewer' },
  flows: { type: 'string' },
  secrets: { type: 'string' },
  'admin-token': { type: 'boolean', default: false },
} as const

function misuse(problem: string): Refusal {
  return new Refusal(`${problem}.\n${usage}`)
}
