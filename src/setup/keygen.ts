import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { parseCallers } from '../access/callers-file.ts'
import { createKey, keyHash } from '../access/keys.ts'
import { hilosTokenForm } from '../config/settings.ts'
import { readSecret, type Terminal } from './read-secret.ts'

const usage =
  'Usage: node dist/main.js keygen NAME [--profile viewer|agent|full] [--flows ID,ID] [--secrets FOLDER [--admin-token]]\n' +
  '   or: node dist/main.js keygen --cache'
const misuse = `The arguments are not valid.\n${usage}`
const options = {
  profile: { type: 'string', default: 'viewer' },
  flows: { type: 'string' },
  secrets: { type: 'string' },
  'admin-token': { type: 'boolean' },
} as const

/** The number of the user of the image, and of its group. */
const imageUser = 1000

/** The command is not done. The message says why, in sentences and without a secret. */
class Refusal extends Error {}

/**
 * Makes a key for a caller, which is shown once and not stored, and its entry for the callers file. With `--secrets` it makes the
 * files of a deployment in a folder instead, with this entry, and leaves files that exist as they are. With `--cache` it makes the
 * keys of the shared tier instead.
 * @param args the arguments after `keygen`, of which only the folder is repeated
 * @param user the number of the user of this process; undefined on Windows. Root gives the files to the user of the image.
 * @returns the exit status, and the text for standard output with 0, or for standard error with 1
 */
export async function keygen(args: readonly string[], terminal: Terminal, user: number | undefined) {
  try {
    return { status: 0, text: `${await outcomeOf(args, terminal, user)}\n` }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const other = `Nothing was made, because the folder cannot be used (${code}).`
    // The message of `parseArgs` repeats an argument.
    const reason = error instanceof Refusal ? message : code?.startsWith('ERR_PARSE_ARGS') ? misuse : other
    return { status: 1, text: `${reason}\n` }
  }
}

async function outcomeOf(args: readonly string[], terminal: Terminal, user: number | undefined): Promise<string> {
  if (args.length === 1 && args[0] === '--cache') return newCacheKeys()
  const { positionals, values } = parseArgs({ args: [...args], allowPositionals: true, options })
  const { profile, flows, secrets, 'admin-token': hasAdminToken } = values
  if (secrets === '' || (hasAdminToken && secrets === undefined)) throw new Refusal(misuse)
  const key = createKey()
  const entry = { name: positionals.join(' '), keySha256: keyHash(key), profile, flows: flows?.split(',') }
  const callers = JSON.stringify({ callers: [entry] }, null, 2)
  const read = parseCallers(callers)
  if ('problems' in read) throw new Refusal(`${read.problems.join('; ').replaceAll('callers[0].', '')}.\n${usage}`)
  const shownKey = `The key. Give it only to the caller; it is not shown again:\n\n${key}`
  const entryTitle = 'The entry. Add it to "callers" in the file that CALLERS_FILE names:'
  if (secrets === undefined) return `${shownKey}\n\n${entryTitle}\n\n${JSON.stringify(entry, null, 2)}`

  const folder = resolve(secrets)
  const present = namesIn(folder, user)
  const randomSecret = () => randomBytes(32).toString('base64url')
  const files = Object.entries({
    'hilos-token': present.includes('hilos-token') ? '' : await readToken(terminal),
    'contact-ref-key': randomSecret(),
    ...(hasAdminToken && { 'admin-token': randomSecret() }),
    'callers.json': callers,
  })
  const { made = [], kept = [] } = Object.groupBy(files, ([name]) => (present.includes(name) ? 'kept' : 'made'))
  addFiles(folder, made, user)
  const namesOf = (some: typeof files) => some.map(([name]) => name).join(', ') || 'nothing'
  const paths = [folder, ...files.map(([name]) => join(folder, name))]
  const isForImage = user === imageUser || (user === 0 && paths.every((path) => lstatSync(path).uid === imageUser))
  const quoted = `'${folder.replaceAll("'", `'\\''`)}'`
  const advice = `If a container reads them, give them to its user:\n\nsudo chown -R ${imageUser}:${imageUser} ${quoted}\n\n`
  const keyOrNone = present.includes('callers.json') ? 'No key was made, because there is a callers file.' : shownKey
  return `New in ${folder}: ${namesOf(made)}. Left as it was: ${namesOf(kept)}.

${isForImage ? '' : advice}${keyOrNone}`
}

/** The content of a new file for `CACHE_KEY_FILE`. */
export function newCacheKeys(): string {
  const key = () => randomBytes(32).toString('base64')
  return JSON.stringify({ names: key(), seal: [{ id: 1, key: key() }] }, null, 2)
}

async function readToken(terminal: Terminal): Promise<string> {
  const token = await readSecret(terminal, 'The Hilos token, which is not shown: ')
  if (hilosTokenForm.test(token)) return token
  throw new Refusal('A Hilos token has 1 to 4096 characters of visible ASCII, without spaces and line breaks.')
}

/** The names in a folder; none if it is missing. @throws Refusal if it must not hold secrets */
function namesIn(folder: string, user: number | undefined): readonly string[] {
  const stats = lstatSync(folder, { throwIfNoEntry: false })
  if (stats === undefined) return []
  if (!stats.isDirectory()) throw new Refusal(`${folder} is a link or a file, and must be a folder.`)
  const names = readdirSync(folder)
  // Only root can add files to a folder of another user.
  if (names.length > 0 && user === 0 && ![0, imageUser].includes(stats.uid))
    throw new Refusal(`Another user owns ${folder} and can replace the files in it.`)
  if (names.length > 0 && (stats.mode & 0o022) > 0)
    throw new Refusal(`Group or others can replace the files in ${folder}. Take that right away first: chmod 700`)
  return names
}

/**
 * Adds files that only their owner can read, all or none. It replaces no file and follows no link. A folder that was missing or
 * empty gets the same owner and is closed to all other users.
 * @param user the number of the user of this process; root gives the files to the user and the group of the image
 */
function addFiles(folder: string, files: readonly (readonly [string, string])[], user: number | undefined): void {
  const isOurs = namesIn(folder, user).length === 0
  const giveAway = (path: string) => user === 0 && chownSync(path, imageUser, imageUser)
  const made: string[] = []
  try {
    if (!existsSync(folder)) mkdirSync(folder)
    if (isOurs) chmodSync(folder, 0o700)
    for (const [name, text] of files) {
      const path = join(folder, name)
      writeFileSync(path, '', { flag: 'wx', mode: 0o600 })
      made.push(path)
      writeFileSync(path, `${text}\n`)
      giveAway(path)
    }
    if (isOurs) giveAway(folder)
  } catch (error) {
    for (const path of made) rmSync(path)
    throw error
  }
}
