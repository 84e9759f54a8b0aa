import { existsSync, lstatSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { env } from 'node:process'
import t, { type Test } from 'tap'
import { readDockerignore } from '../../../tools/image/build-context.ts'
import { readDockerfile } from '../../../tools/image/dockerfile.ts'
import { planOf } from '../../../tools/image/plan.ts'
import { replay } from '../../../tools/image/replay.ts'

const ignore = ['# nothing but', '*', '!src', '!/note.txt', '!many/', 'src/secret.txt'].join('\n')

/** The folder that a Dockerfile makes in a context with a few files. */
function replayed(t: Test, dockerfile: string): string {
  const context = t.testdir({
    'note.txt': 'note',
    'left-out.txt': 'left out',
    src: { 'a.txt': 'a', 'secret.txt': 'secret', deep: { 'b.txt': 'b' } },
    many: { 'c.txt': 'c' },
    work: {},
  })
  symlinkSync('a.txt', join(context, 'src/link.txt'))
  return replay(planOf(readDockerfile(dockerfile), {}), {
    context,
    includes: readDockerignore(ignore),
    folder: join(context, 'work/stages'),
    caches: join(context, 'work/caches'),
    env: { PATH: env.PATH ?? '' },
  })
}

t.test('the last matching rule of a .dockerignore decides about a path', async (t) => {
  const admits = readDockerignore(ignore)
  const included = ['src', 'src/a.txt', 'src/deep/b.txt', 'note.txt', 'many/c.txt']
  const excluded = ['src/secret.txt', 'left-out.txt', 'srcs', 'deep/src', 'src/secret.txt/x']
  t.strictSame([...included, ...excluded].filter(admits), included)
  t.ok(readDockerignore('')('anything'))
  for (const pattern of ['**/*.md', '!a?', '[ab]'])
    t.throws(() => readDockerignore(pattern), { name: 'NotReplayable' }, pattern)
})

t.test('COPY puts files and folders where Docker would, except ignored ones', async (t) => {
  const root = replayed(
    t,
    ['FROM x AS one', 'WORKDIR /app', 'COPY note.txt ./', 'COPY note.txt named', 'COPY src many ./all/', 'FROM x']
      .concat(['WORKDIR /two', 'COPY --from=one /app ./', 'COPY --from=one /app/all/link.txt ./'])
      .join('\n'),
  )
  const text = (path: string) => readFileSync(join(root, path), 'utf8')
  // Of a folder only the content is copied.
  const copied = ['two/note.txt', 'two/named', 'two/all/deep/b.txt', 'two/all/c.txt']
  t.strictSame(copied.map(text), ['note', 'note', 'b', 'c'])
  t.notOk(existsSync(join(root, 'two/all/secret.txt')))
  t.ok(lstatSync(join(root, 'two/all/link.txt')).isSymbolicLink())
  t.equal(readlinkSync(join(root, 'two/all/link.txt')), 'a.txt', 'links stay links')
  t.notOk(existsSync(join(root, 'app')), 'each stage has its own file system')
})

t.test(
  'a stage has the files of its base, and RUN has the folder, the variables and the cache of the stage',
  async (t) => {
    const root = replayed(
      t,
      `FROM x AS one
WORKDIR /app
ENV A=1
RUN --mount=type=cache,target=/root/.cache echo "$A $HOME" > out && echo kept >> "$HOME/.cache/kept"
FROM one
RUN --mount=type=cache,target=/root/.cache cat out "$HOME/.cache/kept" > both`,
    )
    const [first, second] = readFileSync(join(root, 'app/both'), 'utf8').split('\n')
    t.match(first, /^1 .*\/one\/root$/)
    t.equal(second, 'kept')
    t.notOk(existsSync(join(root, 'root/.cache')), 'the cache is not in the image')
  },
)

t.test('a step that fails ends the replay with the reason', async (t) => {
  const failing: [string, string | RegExp][] = [
    ['COPY missing ./', 'missing: there is nothing to copy'],
    ['COPY left-out.txt ./', 'left-out.txt: there is nothing to copy'],
    ['RUN echo said && echo complained >&2 && false', /^line 2: RUN failed: .*\nsaid\ncomplained\n$/],
  ]
  for (const [step, message] of failing)
    t.throws(() => replayed(t, `FROM x\n${step}`), { name: 'NotReplayable', message }, step)
})
