import t from 'tap'
import { readDockerfile } from '../../../tools/image/dockerfile.ts'
import { planOf } from '../../../tools/image/plan.ts'

const plan = (text: string, buildArgs: Record<string, string> = {}) => planOf(readDockerfile(text), buildArgs)

t.test('a plan, of two stages, has their steps in order and what the image says of itself', async (t) => {
  const stages = plan(
    `ARG BASE=node:1
FROM \${BASE} AS build
WORKDIR /app
ARG GREETING="hello"
ENV WHOM=world
COPY a b ./
RUN --mount=type=cache,target=/root/.npm greet there
WORKDIR inner
FROM build
ARG BASE
ARG COMMIT
ENV REV=\${COMMIT} WHOM=moon
LABEL rev="\${COMMIT} on \${BASE}"
COPY --from=build /app/out out
USER 1000:1000
EXPOSE 1 2
STOPSIGNAL SIGINT
HEALTHCHECK --interval=1s --retries=2 CMD ["check"]
CMD ["run", "\${COMMIT}"]`,
    { COMMIT: 'abc' },
  )
  t.strictSame(
    stages.map(({ name, base }) => [name, base]),
    [
      ['build', 'node:1'],
      ['1', 'build'],
    ],
  )
  t.strictSame(stages[0]?.steps, [
    { does: 'make', folder: '/app' },
    { does: 'copy', line: 6, from: null, sources: ['a', 'b'], target: '/app/' },
    {
      does: 'run',
      line: 7,
      command: 'greet there',
      folder: '/app',
      env: { GREETING: 'hello', WHOM: 'world' },
      caches: ['/root/.npm'],
    },
    { does: 'make', folder: '/app/inner' },
  ])
  t.strictSame(stages[1]?.steps, [
    { does: 'copy', line: 14, from: 'build', sources: ['/app/out'], target: '/app/inner/out' },
  ])
  t.strictSame(stages[1]?.config, {
    env: { WHOM: 'moon', REV: 'abc' },
    labels: { rev: 'abc on node:1' },
    user: '1000:1000',
    folder: '/app/inner',
    ports: ['1', '2'],
    stopSignal: 'SIGINT',
    healthcheck: { command: ['check'], flags: { interval: '1s', retries: '2' } },
    command: ['run', `\${COMMIT}`],
  })
})

t.test('an ARG, however it is given a value, follows Docker', async (t) => {
  const text = 'ARG A=outer\nFROM x\nENV BEFORE=$A\nARG A\nARG B=own\nARG C\nENV AFTER="$A $B $C"'
  t.strictSame(plan(text)[0]?.config.env, { BEFORE: '', AFTER: 'outer own ' })
  const given = plan(text, { A: '1', B: '2', C: '', D: '4' })
  t.strictSame(given[0]?.config.env, { BEFORE: '', AFTER: '1 2 ' })
  t.equal(plan('FROM x\nARG A=arg\nENV A=env\nENV B=$A')[0]?.config.env.B, 'env', 'ENV wins')
})

t.test('a plan, when nothing is said, has what engines take then', async (t) => {
  const [stage] = plan('FROM x')
  t.match(stage, { name: '0', base: 'x', steps: [] })
  t.match(stage?.config, { user: '', folder: '/', stopSignal: 'SIGTERM', healthcheck: null, command: null })
})

for (const [instruction, complaint] of [
  ['FROM', 'line 2: this form of FROM is not supported'],
  ['FROM x LIKE y', 'line 2: this form of FROM is not supported'],
  ['FROM x AS y z', 'line 2: this form of FROM is not supported'],
  ['FROM --platform=linux/arm64 x', 'line 2: FROM --platform is not supported'],
  ['ARG A=b c', 'line 2: this form of ARG is not supported'],
  ['COPY a', 'line 2: this form of COPY is not supported'],
  ['COPY a*.js ./', 'line 2: this form of COPY is not supported'],
  ['COPY --chown=1:1 a b', 'line 2: COPY --chown is not supported'],
  ['RUN rm -rf /app/dist', 'line 2: RUN with an absolute path is not supported'],
  ['RUN A=/etc/x true', 'line 2: RUN with an absolute path is not supported'],
  ['RUN --mount=type=secret,id=a true', 'line 2: only cache mounts are supported'],
  ['RUN --network=none true', 'line 2: RUN --network is not supported'],
  ['HEALTHCHECK NONE', 'line 2: HEALTHCHECK is not in exec form'],
  ['CMD node a.js', 'line 2: CMD is not in exec form'],
] as const)
  t.test(`a plan, of "${instruction}", stops the replay`, async (t) => {
    t.throws(() => plan(`FROM base\n${instruction}`), { name: 'NotReplayable', message: complaint })
  })

t.test('a plan, of an instruction before the first stage, stops the replay', async (t) => {
  t.throws(() => plan('ENV A=1\nFROM x'), { message: 'line 1: ENV is before the first FROM' })
})
