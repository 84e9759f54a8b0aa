import t, { type Test } from 'tap'
import { preload } from '../harness/process.ts'
import { startServiceProcess } from '../harness/service-process.ts'

/** Writes the name of each package to standard error when its first module is loaded. */
const tellPackages = preload(`
  import { registerHooks } from 'node:module'
  const told = new Set()
  registerHooks({
    load(url, context, next) {
      const name = /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1]
      if (name !== undefined && !told.has(name)) process.stderr.write('package ' + name + '\\n')
      told.add(name)
      return next(url, context)
    },
  })
`)

async function start(t: Test, settings: Record<string, string> = {}) {
  const { origin, stderr } = await startServiceProcess(t, settings, { nodeOptions: tellPackages })
  return {
    origin,
    packages: () =>
      stderr()
        .split('\n')
        .map((line) => line.replace('package ', '')),
  }
}

t.test('what the first responses do not need is loaded when it is needed', async (t) => {
  const { origin, packages } = await start(t)
  t.equal((await fetch(`${origin}/`)).status, 200)
  for (const needed of ['fastify', 'undici']) t.ok(packages().includes(needed), needed)
  for (const later of ['@fastify/swagger', 'yaml', 'jose', 'typebox', 'ioredis'])
    t.notOk(packages().includes(later), later)
  const paths = ['/openapi.json', '/docs/json', '/docs/yaml', '/docs', '/openapi.json', '/docs/yaml']
  const documents = await Promise.all(paths.map(async (path) => (await fetch(origin + path)).text()))
  t.equal(documents[0], documents[1])
  t.strictSame(documents.slice(4), [documents[0], documents[2]])
  t.ok(packages().includes('yaml'))
  t.notOk(packages().includes('typebox'))
})

t.test('what verifies access tokens is loaded at the start if a token issuer is trusted', async (t) => {
  const issuer = { JWT_ISSUER: 'https://a.example', JWT_AUDIENCE: 'b', JWT_JWKS_URL: 'https://a.example/keys' }
  const { packages } = await start(t, { ...issuer, DANGEROUSLY_ALLOW_ANONYMOUS: 'false' })
  t.ok(packages().includes('jose'))
})
