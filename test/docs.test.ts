import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { faultIds } from '../sandbox/faults.ts'
import { parseCallers } from '../src/access/callers-file.ts'
import { fileNames, SettingsSchema } from '../src/config/settings.ts'
import { failureKinds } from '../src/failures/failure-kinds.ts'
import { createClock } from './harness/clock.ts'
import { startService } from './harness/service.ts'
import { checkRows, difference } from './harness/table.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const filesOf = (patterns: string | readonly string[]) => globSync(patterns, { cwd: root })
const pages = filesOf(['*.md', 'docs/**/*.md', 'deploy/*.md', 'bench/README.md'])
const textOf = (path: string) => readFileSync(join(root, path), 'utf8')
const textsOf = (paths: readonly string[]) => paths.map(textOf).join('\n')
const readme = textOf('README.md')

/** Each match of the first group of the pattern, with its page. */
const matchesIn = (paths: readonly string[], pattern: RegExp) =>
  paths.flatMap((page) => [...textOf(page).matchAll(pattern)].map(([, match = '']) => ({ page, match })))

t.test('the README has three doors and at most 200 lines', async (t) => {
  for (const door of ['I build a page', 'I run it', 'I change it']) t.ok(readme.includes(`\n## ${door}\n`), door)
  t.ok(readme.split('\n').length <= 201)
})

t.test('the response in the README is the one that the service sends', async (t) => {
  const { get } = await startService(t)
  const reply = await get(`/execution-contacts/${documentIds.deliveryConfirmation}?view=summary`)
  t.strictSame(JSON.parse(/```json\n(.*?)```/s.exec(readme)?.[1] ?? ''), reply.json())
  for (const name of ['content-type', 'etag', 'age', 'cache-control'])
    t.ok(readme.includes(`\n${name}: ${reply.headers.get(name)}\n`), name)
})

type Follow = (
  url: string,
  token: string,
  show: (body: { terminal: boolean }) => void,
  signal: AbortSignal,
) => Promise<void>

interface LoopOptions {
  /** Called before each request. */
  readonly onPoll?: () => void
  /** Called with the length of each wait in milliseconds. */
  readonly onWait?: (ms: number) => void
  /** Whether the page is hidden after each wait; false after the last of them. */
  readonly hidden?: boolean[]
}

/** The function in the README. Its waits are over immediately. */
function pollingLoop({ onPoll = () => {}, onWait = () => {}, hidden = [] }: LoopOptions): Follow {
  const code = /```js\n(.*?)```/s.exec(readme)?.[1]
  const page = {
    get hidden() {
      return hidden.shift() ?? false
    },
  }
  const poll = (...[url, options]: Parameters<typeof fetch>) => {
    onPoll()
    return fetch(url, options)
  }
  const wake = (run: () => void, ms: number) => {
    onWait(ms)
    setImmediate(run)
  }
  return new Function('fetch', 'document', 'setTimeout', `${code}\nreturn follow`)(poll, page, wake)
}

t.test('the polling loop of the README waits as long as Retry-After says', async (t) => {
  // The last activity is an hour ago, so the run stays fresh for a minute.
  const { origin, sandbox, clock } = await startService(t, { clock: createClock('2026-11-22T11:00:00Z') })
  const stop = new AbortController()
  const waits: number[] = []
  const onWait = (ms: number) => {
    if (waits.push(ms) === 2) stop.abort()
    clock.advance(ms)
  }
  const follow = pollingLoop({ onWait })
  const url = `${origin}/execution-contacts/${documentIds.deliveryConfirmation}`
  await t.rejects(
    follow(url, 'any', () => {}, stop.signal),
    { name: 'AbortError' },
  )
  t.strictSame(waits, [60_000, 1000], 'the second response is stale, and the run is loaded meanwhile')
  t.ok(sandbox.requests.length <= 2)
})

t.test('the polling loop of the README waits after a problem as long as the problem says', async (t) => {
  const { origin, sandbox, clock } = await startService(t)
  const waits: number[] = []
  const onWait = (ms: number) => {
    waits.push(ms)
    clock.advance(ms)
    sandbox.faults.delete(faultIds.broken)
    const document = sandbox.documents.get(documentIds.completed)?.(0) as object
    sandbox.documents.set(faultIds.broken, () => ({ ...document, id: faultIds.broken }))
  }
  const shown: { terminal: boolean }[] = []
  const url = `${origin}/execution-contacts/${faultIds.broken}`
  await pollingLoop({ onWait })(url, 'any', (body) => shown.push(body), new AbortController().signal)
  t.strictSame(waits, [2000])
  t.match(shown, [{ terminal: true }])
})

t.test('the polling loop of the README throws the code of a problem that a retry cannot solve', async (t) => {
  const { origin } = await startService(t)
  const follow = pollingLoop({ onWait: () => t.fail('it waits') })
  const url = `${origin}/execution-contacts/00000000-0000-4000-8000-00000000dead`
  const following = follow(url, 'any', () => t.fail('it shows a body'), new AbortController().signal)
  await t.rejects(following, { message: 'execution_contact_not_found' })
})

t.test('the polling loop of the README sends no request while the page is hidden', async (t) => {
  const { origin } = await startService(t)
  const events: string[] = []
  const follow = pollingLoop({
    onPoll: () => events.push('poll'),
    onWait: () => events.push('wait'),
    hidden: [true, true, false],
  })
  const stop = new AbortController()
  const url = `${origin}/execution-contacts/${documentIds.deliveryConfirmation}`
  let shown = 0
  await t.rejects(
    follow(url, 'any', () => ++shown === 2 && stop.abort(), stop.signal),
    { name: 'AbortError' },
  )
  t.strictSame(events, ['poll', 'wait', 'wait', 'wait', 'poll', 'wait', 'poll'])
})

interface SettingRow {
  readonly names: readonly string[]
  readonly fallback: string
}

/** The rows in the tables of settings on a page. */
function settingRowsOf(page: string): SettingRow[] {
  const rows = textOf(page)
    .split('\n')
    .filter((line) => /^\| `[A-Z_]+`/.test(line))
  return rows.map((row) => {
    const [, first = '', fallback = ''] = row.split('|')
    return { names: [...first.matchAll(/`([A-Z_]+)`/g)].map(([, name = '']) => name), fallback }
  })
}

function checkDefaults(t: Test, rows: readonly SettingRow[]): void {
  const settings = rows.flatMap(({ names, fallback }) => names.map((name) => ({ name, fallback })))
  const check = ({ name, fallback }: (typeof settings)[number]) => {
    if (fileNames.some((fileName) => fileName === name)) return null
    if (!Object.hasOwn(SettingsSchema.properties, name)) return 'no such setting'
    const schema = Reflect.get(SettingsSchema.properties, name)
    return fallback.includes(String(schema.default ?? '')) ? null : `the default is ${schema.default}`
  }
  checkRows(t, settings, check, 'the defaults are right')
}

t.test('the page about settings lists every setting with its default', async (t) => {
  const rows = settingRowsOf('docs/settings.md')
  const names = rows.flatMap((row) => row.names)
  t.strictSame(names.sort(), [...Object.keys(SettingsSchema.properties), ...fileNames].sort())
  checkDefaults(t, rows)
})

t.test('the README lists five settings with their defaults', async (t) => {
  const rows = settingRowsOf('README.md')
  t.equal(rows.flatMap(({ names }) => names).length, 5)
  checkDefaults(t, rows)
})

t.test('the callers file in the documentation is valid when its placeholders are replaced', async (t) => {
  const example = /```json\n(.*"callers".*?)```/s.exec(textOf('docs/who-may-call.md'))?.[1] ?? ''
  const filled = example.replace('64 hexadecimal digits', 'a'.repeat(64)).replace("a flow's UUID", documentIds.ready)
  t.match(parseCallers(filled), { callers: [{ name: 'support-web', profile: 'agent' }] })
})

t.test('every file and link on a page exists', async (t) => {
  const folders = 'src|test|sandbox|docs|tools|bench|deploy(?!/secrets)'
  const exists = (...places: string[]) => (places.some((place) => existsSync(join(root, place))) ? null : 'missing')
  const links = matchesIn(pages, /\]\((?!https?:)([^)#]+)\)/g)
  checkRows(t, links, ({ page, match }) => exists(join(dirname(page), match)), 'linked files exist')
  const paths = matchesIn(pages, new RegExp(`\`((?:${folders})/[\\w./-]*)\``, 'g'))
  checkRows(t, paths, ({ match }) => exists(match), 'paths from the root exist')
  // Other files are named by their path in src or test, relative to the page, or by their name in src alone.
  const checkFile = ({ page, match }: (typeof paths)[number]) => {
    if (!match.includes('/') && filesOf(`src/**/${match}`).length > 0) return null
    return match.endsWith('.test.ts')
      ? exists(match, join('test', match))
      : exists(match, join('src', match), join(dirname(page), match))
  }
  checkRows(t, matchesIn(pages, /`((?:[\w-]+\/)*[\w-]+(?:\.test)?\.ts)`/g), checkFile, 'other files exist')
})

t.test('every section that a page links to exists', async (t) => {
  const links = matchesIn(pages, /\]\((?!https?:)([^)#]*#[^)]+)\)/g)
  const check = ({ page, match }: (typeof links)[number]) => {
    const [target, anchor = ''] = match.split('#')
    return anchorsOf(target ? join(dirname(page), target) : page).includes(anchor) ? null : 'missing'
  }
  checkRows(t, links, check, 'linked sections exist')
})

/** The anchors that GitHub makes of the headings. */
function anchorsOf(page: string): string[] {
  const headings = matchesIn([page], /^#+ (.+)$/gm)
  return headings.map(({ match }) =>
    match
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

t.test('the folders in the architecture are those of src', async (t) => {
  const tree = /^src\/\n(.*?)^sandbox\//ms.exec(textOf('docs/architecture.md'))?.[1] ?? ''
  const named = [...tree.matchAll(/^ {2}([\w-]+)\/ /gm)].map(([, folder = '']) => folder)
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  t.strictSame(named.sort(), folders.map(({ name }) => name).sort())
})

t.test('every log message in the runbook is in the code', async (t) => {
  const table = /^\| The log says .*?\n\n/ms.exec(textOf('docs/runbook.md'))?.[0] ?? ''
  const cells = table
    .split('\n')
    .slice(2)
    .map((row) => row.split('|')[1] ?? '')
  const messages = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, message = '']) => message))
  const code = textsOf(filesOf(['src/**/*.ts', 'deploy/opentelemetry/*.ts']))
  t.ok(messages.length > 15)
  checkRows(t, messages, (message) => (code.includes(message) ? null : 'missing'), 'the messages are in the code')
})

t.test('every metric on a page exists', async (t) => {
  const { service } = await startService(t)
  const { body = '' } = (await service.operators?.inject('/metrics')) ?? {}
  const metrics = [...body.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name)
  // The changelog also names the metrics of earlier versions.
  const named = matchesIn(pages, /\b(hilos_bff_[a-z_]*[a-z])\b/g).filter(({ page }) => page !== 'CHANGELOG.md')
  checkRows(t, named, ({ match }) => (metrics.includes(match) ? null : 'missing'), 'the metrics exist')
})

t.test('every test title that a page quotes is in the file that the page names', async (t) => {
  const text = textsOf(['SECURITY.md', 'docs/threat-model.md'])
  const proofs = [...text.matchAll(/`([\w/-]+\.test\.ts)`: ("[^"]+"(?:, "[^"]+")*)/g)]
  const quotes = proofs.flatMap(([, file = '', titles = '']) =>
    [...titles.matchAll(/"([^"…]+)/g)].map(([, title = '']) => ({ file: join('test', file), title })),
  )
  t.ok(quotes.length > 20)
  checkRows(t, quotes, ({ file, title }) => (textOf(file).includes(title) ? null : 'missing'), 'the titles exist')
})

t.test('the changelog names the codes that the agreed contract does not have', async (t) => {
  const changelog = textOf('CHANGELOG.md')
  const codes = [
    ...['malformed_request', 'request_timeout', 'upstream_untrusted', 'not_cached', 'foreign_request'],
    ...['token_issuer_unavailable', 'precondition_failed'],
  ]
  const check = (code: string) =>
    difference([Object.hasOwn(failureKinds, code), changelog.includes(`\`${code}\``)], [true, true])
  checkRows(t, codes, check, 'the codes exist and are named')
})
