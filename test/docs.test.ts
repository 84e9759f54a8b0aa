import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { readCallers } from '../src/access/callers-file.ts'
import { fileNames, SettingsSchema } from '../src/config/settings.ts'
import { failureKinds } from '../src/failures/failure-kinds.ts'
import { startService } from './harness/service.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const pages = ['*.md', 'docs/**/*.md', 'deploy/*.md']
const readme = readFileSync(join(root, 'README.md'), 'utf8')

t.test('the answer in the README, is what the service really answers', async (t) => {
  const { get } = await startService(t)
  const reply = await get(`/execution-contacts/${documentIds.deliveryConfirmation}?view=summary`)
  t.strictSame(JSON.parse(/```json\n(.*?)```/s.exec(readme)?.[1] ?? ''), reply.json())
  for (const name of ['content-type', 'etag', 'age', 'cache-control'])
    t.ok(readme.includes(`\n${name}: ${reply.headers.get(name)}\n`), name)
})

t.test('the settings table in the README, names every setting with its default', async (t) => {
  const rows = readme.split('\n').filter((line) => /^\| `[A-Z_]+`/.test(line))
  const documented = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name),
  )
  const settings = Object.keys(SettingsSchema.properties)
  t.strictSame(documented.sort(), [...settings, ...fileNames].sort())
  for (const [name, schema] of Object.entries(SettingsSchema.properties)) {
    const given = 'default' in schema ? String(schema.default) : ''
    const [, , fallback = ''] = rows.find((row) => row.includes(`\`${name}\``))?.split('|') ?? []
    t.ok(fallback.includes(given), `${name}: ${fallback}`)
  }
})

t.test('the callers’ file in the README, once its placeholders are filled in, is one', async (t) => {
  const example = /```json\n(.*"callers".*?)```/s.exec(readme.slice(readme.indexOf('## Who may call')))?.[1] ?? ''
  const filled = example.replace('64 hexadecimal digits', 'a'.repeat(64)).replace("a flow's UUID", documentIds.ready)
  t.match(readCallers(filled), { callers: [{ name: 'support-web', profile: 'agent' }] })
})

t.test('a file or a link, when a page names it, exists', async (t) => {
  for (const page of globSync(pages, { cwd: root })) {
    const text = readFileSync(join(root, page), 'utf8')
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g))
      t.ok(existsSync(join(root, dirname(page), target)), `${page} links ${target}`)
    for (const [, file = ''] of text.matchAll(/`((?:[\w-]+\/)*[\w-]+\.test\.ts)`/g))
      t.ok(existsSync(join(root, file.startsWith('test/') ? file : `test/${file}`)), `${page} names ${file}`)
    for (const [, file = ''] of text.matchAll(/`((?:[\w-]+\/)*[\w-]+\.ts)`/g))
      if (!file.startsWith('test/') && page === 'README.md')
        t.ok(existsSync(join(root, 'src', file)), `${page} names ${file}`)
  }
})

t.test('a section, when a page links to it, exists', async (t) => {
  for (const page of globSync(pages, { cwd: root })) {
    const text = readFileSync(join(root, page), 'utf8')
    for (const [, target = '', anchor = ''] of text.matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)) {
      const linked = readFileSync(target === '' ? join(root, page) : join(root, dirname(page), target), 'utf8')
      t.ok(anchorsOf(linked).includes(anchor), `${page} links ${target}#${anchor}`)
    }
  }
})

/** As GitHub makes them of headings. */
function anchorsOf(page: string): string[] {
  return [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

t.test('a test, when a page says that it proves something, has that title', async (t) => {
  const text = ['SECURITY.md', 'docs/threat-model.md'].map((page) => readFileSync(join(root, page), 'utf8')).join('\n')
  const titles = globSync('test/**/*.test.ts', { cwd: root })
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n')
  const named = [...text.matchAll(/\.test\.ts`: "([^"…]+)/g)].map(([, title]) => title ?? '')
  t.ok(named.length > 20)
  for (const title of named) t.ok(titles.includes(title), title)
})

t.test('the CHANGELOG, names the codes that the agreed contract does not have', async (t) => {
  const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8')
  for (const code of [
    ...['malformed_request', 'request_timeout', 'upstream_untrusted', 'not_cached'],
    'token_issuer_unavailable',
  ]) {
    t.ok(Object.hasOwn(failureKinds, code))
    t.ok(changelog.includes(`\`${code}\``), code)
  }
})
