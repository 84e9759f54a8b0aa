import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { getuid } from 'node:process'
import { PassThrough, Readable } from 'node:stream'
import t from 'tap'
import { createCallerKeys } from '../../src/access/authentication.ts'
import { parseCallers } from '../../src/access/callers-file.ts'
import { parseCacheKeys } from '../../src/config/cache-keys.ts'
import { loadConfig } from '../../src/config/config.ts'
import { readSettingsFiles } from '../../src/config/settings.ts'
import { fileWarnings } from '../../src/doctor/file-findings.ts'
import { keygen } from '../../src/setup/keygen.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'

const flow = 'b2c0f1de-0000-4000-8000-00000000000a'
const usage =
  'Usage: node dist/main.js keygen NAME [--profile viewer|agent|full] [--flows ID,ID] [--secrets FOLDER [--admin-token]]\n   or: node dist/main.js keygen --cache\n'
const token = 'hilos-token-of-this-test'
const all = ['admin-token', 'callers.json', 'contact-ref-key', 'hilos-token']
/** Another user than root and the one of the image. Nothing is given away then. */
const someUser = 1234

/** Where the question for the token goes, and where the token comes from. */
function terminalWith(input: Readable) {
  const output = new PassThrough({ encoding: 'utf8' })
  return { input, output, question: () => output.read() as string | null }
}

const pipe = (text: string) => terminalWith(Readable.from([Buffer.from(text)]))
const noTerminal = () =>
  terminalWith(
    Readable.from([])
      .on('data', () => t.fail('the input is read'))
      .pause(),
  )

const run = (args: readonly string[], terminal = pipe(token), user: number | undefined = someUser) =>
  keygen(args, terminal, user)

const keyIn = (text: string) => /^The key\. .*:\n\n(hbff_\S+)$/m.exec(text)?.[1] ?? ''

t.test('keygen shows a key, and an entry of the callers file that accepts it and does not contain it', async (t) => {
  const rows = [
    [['support-web'], { name: 'support-web', profile: 'viewer', flows: null }],
    [
      ['--flows', `${flow},${flow.replace('a', 'b')}`, '--profile=full', 'x'],
      { name: 'x', profile: 'full', flows: new Set([flow, flow.replace('a', 'b')]) },
    ],
  ] as const
  const check = async ([args, caller]: (typeof rows)[number]) => {
    const { status, text } = await run(args)
    const [, key = '', entry = ''] =
      /^The key. .*:\n\n(.*)\n\nThe entry. .*CALLERS_FILE.*:\n\n(\{.*\})\n$/s.exec(text) ?? []
    const read = parseCallers(`{"callers": [${entry}]}`)
    const found = 'callers' in read && createCallerKeys(read.callers)(key)
    return difference([status, entry.includes(key), found], [0, false, { ...caller, kind: 'key' }])
  }
  await checkRowsInTurn(t, rows, check, 'the key is that of the caller')
})

t.test('keygen with invalid arguments shows the problem and the usage, no key and no argument', async (t) => {
  const misuse = 'The arguments are not valid.'
  const rows = [
    [[], 'name: must be 1 to 64 letters, digits and . _ @ -.'],
    [['a', '--flows', 'x', '--profile', 'y'], 'profile: must be one of viewer, agent, full; flows[0]: must be a UUID.'],
    [['a', '--flows', ''], 'flows[0]: must be a UUID.'],
    [['a', 'a-token'], 'name: must be 1 to 64 letters, digits and . _ @ -.'],
    [['a', '--token', 'a-token'], misuse],
    [['a', '--profile'], misuse],
    [['a', '--secrets', ''], misuse],
    [['a', '--admin-token'], misuse],
    [['a', '--secrets', 'x', '--admin-token=a-token'], misuse],
    [['--help'], misuse],
    [['--cache', 'a'], misuse],
    [['a', '--cache'], misuse],
    [['--cache=a-token'], misuse],
  ] as const
  const check = async ([args, sentence]: (typeof rows)[number]) =>
    difference(await run(args), { status: 1, text: `${sentence}\n${usage}` })
  await checkRowsInTurn(t, rows, check, 'the problem is shown')
})

t.test('keygen --cache prints new keys of the shared tier, which the service accepts, and nothing else', async (t) => {
  const [one, two] = [await run(['--cache'], noTerminal()), await run(['--cache'], noTerminal())]
  t.equal(one.status, 0)
  t.match(parseCacheKeys(one.text), { keys: { seal: [{ id: 1 }] } })
  const keysIn = ({ text }: typeof one) => [...text.matchAll(/"(\S{44})"/g)].map(([, key]) => key)
  t.equal(new Set([...keysIn(one), ...keysIn(two)]).size, 4)
})

t.test('the service starts with the folder that keygen makes, and accepts the key', async (t) => {
  const folder = join(t.testdir(), 'secrets')
  const { status, text } = await run(
    ['web', '--profile', 'agent', '--secrets', folder, '--admin-token'],
    pipe(`${token}\r\n`),
  )
  t.equal(status, 0)
  t.match(text, `New in ${folder}: hilos-token, contact-ref-key, admin-token, callers.json. Left as it was: nothing.\n`)
  t.notMatch(text, token)
  t.strictSame(readdirSync(folder).sort(), all)
  const modes = ['.', ...all].map((name) => (lstatSync(join(folder, name)).mode & 0o777).toString(8))
  t.strictSame(modes, ['700', ...all.map(() => '600')])

  const env = {
    HILOS_TOKEN_FILE: join(folder, 'hilos-token'),
    CALLERS_FILE: join(folder, 'callers.json'),
    CONTACT_REF_KEY_FILE: join(folder, 'contact-ref-key'),
    ADMIN_TOKEN_FILE: join(folder, 'admin-token'),
  }
  const files = await readSettingsFiles(env)
  const { hilos, access, operators, warnings } = loadConfig(env, 0, files)
  t.equal(hilos.token.reveal(), token)
  t.match(createCallerKeys(access.callersFile?.entries ?? [])(keyIn(text)), { name: 'web', profile: 'agent' })
  t.match(operators?.deletionToken?.reveal(), /^[\w-]{43}$/)
  t.not(operators?.deletionToken?.reveal(), readFileSync(env.CONTACT_REF_KEY_FILE, 'utf8').trim())
  t.strictSame([...warnings, ...fileWarnings(files)], [])
})

t.test('without --admin-token there is none', async (t) => {
  const folder = t.testdir()
  chmodSync(folder, 0o777)
  t.equal((await run(['web', '--secrets', folder])).status, 0)
  t.strictSame(readdirSync(folder).sort(), all.slice(1))
  t.equal(lstatSync(folder).mode & 0o777, 0o700, 'an empty folder is closed')
})

t.test('files that exist stay as they are, and only what is missing is made', async (t) => {
  const folder = t.testdir({ 'hilos-token': 'old', 'callers.json': '' })
  chmodSync(folder, 0o750)
  symlinkSync('nowhere', join(folder, 'contact-ref-key'))
  const terminal = noTerminal()
  const { status, text } = await run(['web', '--secrets', folder, '--admin-token'], terminal)
  t.equal(status, 0)
  t.match(text, `New in ${folder}: admin-token. Left as it was: hilos-token, contact-ref-key, callers.json.\n`)
  t.match(text, /\n\nNo key was made, because there is a callers file\.\n$/)
  t.notMatch(text, 'hbff_')
  t.equal(terminal.question(), null, 'the token is not asked for')
  t.strictSame(
    ['hilos-token', 'callers.json'].map((name) => readFileSync(join(folder, name), 'utf8')),
    ['old', ''],
  )
  t.notOk(existsSync(join(folder, 'nowhere')), 'a link is not followed')
  t.equal(lstatSync(folder).mode & 0o777, 0o750, 'a folder with files keeps its mode')
  const again = await run(['web', '--secrets', folder, '--admin-token'], noTerminal())
  t.match(again, { status: 0, text: `New in ${folder}: nothing. Left as it was: hilos-token, contact-ref-key, ` })
})

t.test('a token that the service would refuse is refused, and nothing is made', async (t) => {
  const text = 'A Hilos token has 1 to 4096 characters of visible ASCII, without spaces and line breaks.\n'
  const rows = ['', '\n', ' ', 'a b', ' a', 'a\nb', 'a\rb\n', 'tokén', 'a\0', 'a'.repeat(4097)]
  const folder = join(t.testdir(), 'secrets')
  const check = async (input: string) =>
    difference([await run(['web', '--secrets', folder], pipe(input)), existsSync(folder)], [{ status: 1, text }, false])
  await checkRowsInTurn(t, rows, check, 'it is refused')
  t.equal((await run(['web', '--secrets', folder], pipe('a'.repeat(4096)))).status, 0)
})

t.test('what is not a folder of its owner is refused before the token is asked for', async (t) => {
  const root = t.testdir({ file: '', open: { a: '' }, folder: {} })
  symlinkSync('folder', join(root, 'link'))
  const rows = [
    ['file', `${join(root, 'file')} is a link or a file, and must be a folder.`],
    ['link', `${join(root, 'link')} is a link or a file, and must be a folder.`],
    ['link/', `${join(root, 'link')} is a link or a file, and must be a folder.`],
    ['open', `Group or others can replace the files in ${join(root, 'open')}. Take that right away first: chmod 700`],
  ] as const
  const check = async ([name, text]: (typeof rows)[number]) =>
    difference(await run(['web', '--secrets', `${root}/${name}`], noTerminal()), { status: 1, text: `${text}\n` })
  for (const mode of [0o720, 0o702]) {
    chmodSync(join(root, 'open'), mode)
    await checkRowsInTurn(t, rows, check, 'it is refused')
  }
  t.strictSame(readdirSync(join(root, 'folder')), [])
})

t.test('a folder that the system does not let us make or fill is refused with the code', async (t) => {
  const root = t.testdir()
  const text = 'Nothing was made, because the folder cannot be used (ENOENT).\n'
  t.strictSame(await run(['web', '--secrets', join(root, 'missing/secrets')]), { status: 1, text })
  t.strictSame(readdirSync(root), [], 'folders above it are not made')
})

t.test('when one file cannot be made, none is', async (t) => {
  const folder = join(t.testdir(), 'secrets')
  async function* tokenOfASlowPerson() {
    mkdirSync(folder)
    writeFileSync(join(folder, 'callers.json'), 'of another process')
    yield Buffer.from(token)
  }
  const text = 'Nothing was made, because the folder cannot be used (EEXIST).\n'
  const outcome = await run(['web', '--secrets', folder], terminalWith(Readable.from(tokenOfASlowPerson())))
  t.strictSame(outcome, { status: 1, text })
  t.strictSame(readdirSync(folder), ['callers.json'])
  t.equal(readFileSync(join(folder, 'callers.json'), 'utf8'), 'of another process')
})

t.test(
  'root refuses a folder of a user who could replace its files',
  { skip: getuid?.() !== 0 && 'not root' },
  async (t) => {
    const folder = t.testdir({ old: '' })
    chmodSync(folder, 0o700)
    chownSync(folder, 1234, 1234)
    const text = `Another user owns ${folder} and can replace the files in it.\n`
    t.strictSame(await run(['web', '--secrets', folder], noTerminal(), 0), { status: 1, text })
    chownSync(folder, 1000, 1000)
    t.equal((await run(['web', '--secrets', folder], pipe(token), 0)).status, 0)
  },
)

t.test('a pipe without an end is not read to its end', async (t) => {
  let chunks = 0
  async function* endless() {
    for (;;) {
      chunks += 1
      yield Buffer.alloc(10_000, 'a')
    }
  }
  const outcome = await run(['web', '--secrets', join(t.testdir(), 's')], terminalWith(Readable.from(endless())))
  t.match(outcome, { status: 1, text: /^A Hilos token has/ })
  t.ok(chunks < 100)
})

t.test('root is told what still belongs to another user', { skip: getuid?.() !== 0 && 'not root' }, async (t) => {
  const folder = t.testdir({ 'contact-ref-key': 'old' })
  chmodSync(folder, 0o700)
  t.match(await run(['web', '--secrets', folder], pipe(token), 0), { status: 0, text: 'sudo chown -R 1000:1000 ' })
})

t.test('root gives what it makes to the user of the image', async (t) => {
  const folder = join(t.testdir(), 'secrets')
  const { status, text } = await run(['web', '--secrets', folder], pipe(token), 0)
  if (status === 1 && getuid?.() !== 0) {
    t.match(text, /\(EPERM\)\.$/m)
    return t.strictSame(readdirSync(folder), [])
  }
  t.equal(status, 0)
  t.notMatch(text, 'chown')
  const owners = ['.', ...readdirSync(folder)]
    .map((name) => lstatSync(join(folder, name)))
    .map(({ uid, gid }) => [uid, gid])
  const [, ...user] =
    /^USER (\d+):(\d+)$/m.exec(readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8')) ?? []
  t.strictSame(new Set(owners.map(String)), new Set([String(user)]))
})

t.test('another user reads the command that lets the image read the files', async (t) => {
  const folder = join(t.testdir(), "it's")
  const quoted = folder.replace("'", `'\\''`)
  t.match((await run(['a', '--secrets', folder])).text, `\n\nsudo chown -R 1000:1000 '${quoted}'\n\nThe key. `)
  t.notMatch((await run(['a', '--secrets', folder], pipe(token), 1000)).text, 'chown', 'the user of the image has it')
})
