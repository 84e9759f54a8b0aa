import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { faultIds } from '../sandbox/faults.ts'
import { parseCallers } from '../src/access/callers-file.ts'
import { watchLimits } from '../src/config/limits.ts'
import { fileNames, SettingsSchema } from '../src/config/settings.ts'
import { failureKinds } from '../src/failures/failure-kinds.ts'
import { scrape } from './deploy/known-metrics.ts'
import { openEvents } from './harness/event-source.ts'
import { startService, until } from './harness/service.ts'
import { checkRows, difference } from './harness/table.ts'
import { createTimers, settled } from './harness/timers.ts'

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

interface Told {
  /** Each event that the page was told, without its data. */
  readonly events: string[]
  /** The data of the last event of each kind. */
  // biome-ignore lint/suspicious/noExplicitAny: assertions are the check
  readonly last: Record<string, any>
}

interface PageOptions {
  /** Replaces `fetch`. */
  readonly fetch?: typeof fetch
  /** Called with the length of each wait before the page comes back, in milliseconds. */
  readonly onWait?: (ms: number) => void
  /** Called with what ends the connection as if it were silent. */
  readonly onSilence?: (end: () => void) => void
}

/** Follows a run by the function in the README, in a page whose waits are over immediately. */
function openPage(options: PageOptions = {}) {
  const { onWait = () => {}, onSilence = () => {} } = options
  const code = /```js\n(async function follow|\/\/ Calls)(.*?)```/s.exec(readme)
  const page = { hidden: false }
  const told: Told = { events: [], last: {} }
  const stop = new AbortController()
  const wake = (run: (given?: unknown) => void, ms: number, given?: unknown) => {
    if (ms === 45_000) return onSilence(() => run(given))
    onWait(ms)
    setImmediate(run)
  }
  const hear = (event: string) => (data: unknown) => {
    told.events.push(event)
    told.last[event] = data
  }
  const follow: (...given: unknown[]) => Promise<void> = new Function(
    ...['fetch', 'document', 'setTimeout', `${code?.[0].slice(6, -3)}\nreturn follow`],
  )(options.fetch ?? fetch, page, wake)
  const on = { state: hear('state'), checked: hear('checked'), problem: hear('problem') }
  return { page, told, stop, follow: (url: string) => follow(url, 'any', on, stop.signal) }
}

/** Of a run that ended an hour ago. */
const ended = { status: 'COMPLETED', status_last_change_on: '2026-11-22T09:00:00Z' }

/** A service with a run that a test can change, and that is asked about every three seconds while it runs. */
async function startRun(t: Test) {
  const clock = { ...createTimers(Date.parse('2026-11-22T10:05:00Z')), random: () => 0.25 }
  const service = await startService(t, { clock })
  const id = documentIds.deliveryConfirmation
  const stored = service.sandbox.documents.get(id)?.(0) as object
  const change = (changes: object) => {
    service.sandbox.documents.set(id, () => ({ ...stored, ...changes }))
    return clock.advance(4000)
  }
  return { ...service, clock, id, change, url: `${service.origin}/execution-contacts/${id}/events` }
}

t.test('the README follows a run: each state, until it has settled', async (t) => {
  const { url, change, get, id, clock } = await startRun(t)
  const { told, follow } = openPage({ onWait: () => t.fail('it comes back') })
  const following = follow(url)
  await until(() => told.events.length === 1)
  t.match(told.last.state, { id, view: 'timeline', isTest: false })
  await change({ is_test: true })
  await until(() => told.last.state.isTest)
  await clock.advance(4000)
  await until(() => told.events.at(-1) === 'checked')
  t.match(told.last.checked, { age: Number, stale: null })
  await change(ended)
  await following
  t.equal(told.events.filter((event) => event === 'state').length, 3)
  t.strictSame(told.last.state, (await get(`/execution-contacts/${id}`)).json(), 'whole, as in the response')
})

t.test('the README comes back after a lost connection, and is not told again what it knows', async (t) => {
  const { url } = await startRun(t)
  const waits: number[] = []
  const cuts: (() => void)[] = []
  const fetchUntilCut: typeof fetch = (input, init) => {
    const cut = new AbortController()
    if (cuts.push(() => cut.abort()) === 2) return Promise.reject(new TypeError('no connection'))
    return fetch(input, { ...init, signal: AbortSignal.any([cut.signal, init?.signal as AbortSignal]) })
  }
  const { told, stop, follow } = openPage({ fetch: fetchUntilCut, onWait: (ms) => waits.push(ms) })
  const following = follow(url)
  await until(() => told.events.length === 1)
  cuts[0]?.()
  await until(() => told.events.length === 2)
  t.strictSame(told.events, ['state', 'checked'])
  t.strictSame(waits, [2700, 2700], 'as long as `retry` says')
  stop.abort()
  await following
  t.equal(cuts.length, 3, 'an aborted signal ends it')
})

t.test('the README takes silence for a lost connection', async (t) => {
  const { url } = await startRun(t)
  const silences: (() => void)[] = []
  const { told, stop, follow } = openPage({ onSilence: (end) => silences.push(end) })
  const following = follow(url)
  await until(() => told.events.length === 1)
  await settled()
  for (const end of silences.slice(0, -1)) end()
  await settled()
  t.strictSame(told.events, ['state'], 'something was said since')
  silences.at(-1)?.()
  await until(() => told.events.length === 2)
  stop.abort()
  await following
})

t.test(
  'the README comes back when a problem says, and throws the code of one that waiting does not solve',
  async (t) => {
    const { url, origin, sandbox, clock } = await startRun(t)
    const waits: number[] = []
    const onWait = (ms: number) => {
      waits.push(ms)
      void clock.advance(ms)
      sandbox.faults.delete(faultIds.broken)
      const document = sandbox.documents.get(documentIds.completed)?.(0) as object
      sandbox.documents.set(faultIds.broken, () => ({ ...document, ...ended, id: faultIds.broken }))
    }
    const { told, follow } = openPage({ onWait })
    await follow(`${origin}/execution-contacts/${faultIds.broken}/events`)
    t.strictSame(waits, [2000])
    t.match(told.last.state, { terminal: true })
    const missing = openPage({ onWait: () => t.fail('it comes back') })
    await t.rejects(missing.follow(url.replace(/\w+\/events/, '00000000dead/events')), {
      message: 'execution_contact_not_found',
    })
    t.strictSame(missing.told.events, [])
  },
)

t.test('the README throws when the run is erased', async (t) => {
  const { url, sandbox, id, clock } = await startRun(t)
  const { told, follow } = openPage({ onWait: () => t.fail('it comes back') })
  const following = follow(url)
  await until(() => told.events.length === 1)
  sandbox.documents.delete(id)
  await clock.advance(4000)
  await t.rejects(following, { message: 'execution_contact_not_found' })
})

t.test('the README does not come back to a run that has settled', async (t) => {
  const { url, id, change, get } = await startRun(t)
  await change(ended)
  const etag = (await get(`/execution-contacts/${id}`)).headers.get('etag') ?? ''
  const statuses: number[] = []
  const { told, follow } = openPage({
    onWait: () => t.fail('it comes back'),
    fetch: async (input, init) => {
      const headers = { ...init?.headers, 'Last-Event-ID': etag.slice(1, -1) }
      const reply = await fetch(input, { ...init, headers })
      statuses.push(reply.status)
      return reply
    },
  })
  await follow(url)
  t.strictSame([statuses, told.events], [[204], []])
})

t.test('the README holds no connection while the page is hidden', async (t) => {
  const { url, change, clock, logLines } = await startRun(t)
  let [requests, waits] = [0, 0]
  const { told, page, follow } = openPage({
    fetch: (...given) => {
      requests += 1
      return fetch(...given)
    },
    onWait: () => {
      waits += 1
      page.hidden &&= waits < 5
    },
  })
  page.hidden = true
  const following = follow(url)
  await until(() => told.events.length === 1)
  t.strictSame([waits, requests], [5, 1], 'it opens the stream when it is shown')
  page.hidden = true
  await change({ is_test: true })
  await until(() => told.events.length === 2)
  const end = () => logLines().find(({ msg }) => msg === 'stream ended')
  while (end() === undefined) await clock.advance(1000)
  t.match(end(), { states: 2, reason: 'left' }, 'it closes it at the next event')
  await until(() => requests === 2)
  await change(ended)
  await following
})

t.test('the stream in the documentation is the one that the service sends', async (t) => {
  const { origin, id } = await startRun(t)
  const [, path = '', sent = ''] =
    /curl -N -H @credential 'http:\/\/127\.0\.0\.1:3000([^']+)'\n(.*?)```/s.exec(textOf('docs/live.md')) ?? []
  t.ok(path.includes(id))
  const source = await openEvents(`${origin}${path}`)
  t.teardown(source.leave)
  await source.nth('state', 1)
  const [start = ''] = sent.split(' …}\n')
  t.ok(source.text().replace(/\d+/, '3000').startsWith(start.replace(/\d+/, '3000')), start)
  for (const { event, id: tag, json } of source.events)
    t.match(sent, event === 'state' ? `id: ${tag}\ndata: {"id":"${json.id}"` : `event: ${event}`)
})

t.test('the runs in the documentation are the ones that the service sends', async (t) => {
  const { get } = await startService(t)
  const [, path = '', sent = ''] =
    /curl -s -H @credential 'http:\/\/127\.0\.0\.1:3000([^']+)'\n(.*?)```/s.exec(textOf('docs/using-the-api.md')) ?? []
  const { text } = await get(path)
  t.ok(path.startsWith('/execution-contacts?ids='))
  const [start = '', between = '', end = ''] = sent.replaceAll('\n', '').split(/(?:, )?…/)
  t.ok(text.startsWith(start))
  t.ok(text.includes(between))
  t.ok(text.endsWith(end))
})

t.test('the budget of watching in the documentation is what its formula says', (t) => {
  const rows = [...textOf('docs/live.md').matchAll(/^\| (\d+) \| (\d+) \| (\d+) \|(.*)\|$/gm)]
  const share = 5 * watchLimits.share
  const check = ([, moving, quiet, long, cells = '']: RegExpMatchArray) => {
    const counts = [moving, quiet, long].map(Number)
    const intervals = [3, 20, 60]
    const wished = counts.reduce((sum, count, index) => sum + count / (intervals[index] as number), 0)
    const proportion = Math.max(1, wished / share)
    const rounded = [wished, proportion].map((value) => Math.round(value * 10) / 10)
    const expected = [...rounded, ...intervals.map((interval) => Math.round(interval * proportion))]
    const printed = cells.split('|').map((cell) => cell.replace(' s', '').trim())
    return difference(
      printed,
      expected.map((value, index) => (printed[index] === '' ? '' : String(value))),
    )
  }
  t.equal(rows.length, 6)
  checkRows(t, rows, check, 'each row is right')
  t.end()
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
  const metrics = [...(await scrape(t)).series.values()]
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
    ...['token_issuer_unavailable', 'precondition_failed', 'too_many_streams', 'shared_tier_unavailable'],
  ]
  const check = (code: string) =>
    difference([Object.hasOwn(failureKinds, code), changelog.includes(`\`${code}\``)], [true, true])
  checkRows(t, codes, check, 'the codes exist and are named')
})
