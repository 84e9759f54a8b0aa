import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const text = read('.github/workflows/ci.yml')

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
}

interface Job {
  readonly permissions?: unknown
  readonly 'timeout-minutes'?: number
  readonly strategy?: { readonly matrix: { readonly node: readonly number[] } }
  readonly steps: readonly Step[]
}

const workflow: { on: object; permissions: unknown; jobs: Record<string, Job> } = parse(text)
const jobs = Object.entries(workflow.jobs)
const commandsOf = (job: Job | undefined) => job?.steps.map(({ run }) => run ?? '') ?? []

t.test('an action, when the workflow uses it, is pinned by commit, with its version beside it', async (t) => {
  const uses = text.split('\n').filter((line) => line.includes('uses:'))
  t.equal(uses.length, jobs.flatMap(([, { steps }]) => steps.filter((step) => step.uses)).length)
  for (const line of uses) t.match(line, /^ +- uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
})

t.test('the workflow, whatever it runs, may read and nothing else, and leaves no credential behind', async (t) => {
  t.strictSame(workflow.permissions, { contents: 'read' })
  t.notOk('pull_request_target' in workflow.on, 'no rights for code from outside')
  t.notMatch(text, /secrets\./)
  for (const [name, { permissions, steps, 'timeout-minutes': minutes }] of jobs) {
    t.equal(permissions, undefined, `${name} asks for no more`)
    t.ok(minutes, `${name} ends`)
    for (const step of steps) {
      if (step.uses?.startsWith('actions/checkout@')) t.equal(step.with?.['persist-credentials'], false, name)
      t.notMatch(step.run ?? '', '${{', `${name}: nothing from outside gets into a command`)
    }
  }
})

t.test('the matrix, has every Node.js that package.json allows, and takes the lockfile’s away', async (t) => {
  const { engines } = JSON.parse(read('package.json'))
  const { check } = workflow.jobs
  t.strictSame(check?.strategy?.matrix.node, [22, 24, 26])
  t.equal(engines.node.split('.')[0], `>=${check?.strategy?.matrix.node[0]}`)
  const commands = commandsOf(check)
  const order = [
    /^npm ci$/,
    /^rm node_modules\/\.bin\/node$/,
    /^npm exec .*grep "\^v\$EXPECTED\\\."$/,
    /^npm run check$/,
  ]
  const places = order.map((command) => commands.findIndex((each) => command.test(each)))
  t.ok(
    places.every((place, index) => place > (places[index - 1] ?? -1)),
    String(places),
  )
})

t.test('the workflow, asks what a developer’s machine does not', async (t) => {
  const commands = jobs.flatMap(([, job]) => commandsOf(job)).join('\n')
  for (const command of ['npm run image', 'npm run --silent sbom', 'npm audit signatures', 'npm audit --omit=dev'])
    t.ok(commands.includes(command), command)
  t.match(commands, /docker buildx build .*--provenance=mode=max --sbom=true/)
  t.match(commands, /docker run .*--read-only --cap-drop ALL/)
  t.match(text, /run: npm run check\n +env:\n +SHARED_TIER_TESTS: required\n/)
  t.notMatch(commands, /--push|docker push|npm publish/)
})

t.test('Dependabot, for whatever it looks after, waits a week and groups', async (t) => {
  const { updates } = parse(read('.github/dependabot.yml'))
  const ecosystems = updates.map((update: Record<string, unknown>) => update['package-ecosystem'])
  t.strictSame(ecosystems.sort(), ['github-actions', 'npm'])
  for (const { cooldown, groups, schedule } of updates) {
    t.ok(cooldown['default-days'] >= 7)
    t.ok(Object.keys(groups).length > 0)
    t.ok(schedule.interval)
  }
})

t.test('a version, in package.json, is exact; in the lockfile, has a hash', async (t) => {
  const { packages } = JSON.parse(read('package-lock.json'))
  const ours = Object.keys(packages).filter((path) => !path.includes('node_modules'))
  t.ok(ours.includes('') && ours.includes('tools/node'))
  for (const path of ours) {
    const {
      dependencies = {},
      devDependencies = {},
      optionalDependencies = {},
    } = JSON.parse(read(join(path, 'package.json')))
    for (const [name, version] of Object.entries<string>({
      ...dependencies,
      ...devDependencies,
      ...optionalDependencies,
    }))
      t.ok(/^\d+\.\d+\.\d+$/.test(version) || ours.includes(version.replace(/^file:/, '')), `${name} ${version}`)
  }
  for (const [path, { integrity, link, inBundle }] of Object.entries<Record<string, string | boolean>>(packages))
    if (path.startsWith('node_modules/') && !link && !inBundle) t.match(integrity, /^sha512-/, path)
})

t.test('npm, wherever it runs here, runs no install script and takes nothing that is new', async (t) => {
  const lines = read('.npmrc').split('\n')
  for (const line of ['ignore-scripts=true', 'save-exact=true', 'min-release-age=7']) t.ok(lines.includes(line), line)
})
