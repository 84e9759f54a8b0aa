import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { documentIds } from '../../sandbox/documents.ts'
import { createSandbox } from '../../sandbox/hilos.ts'
import { createKey, keyHash } from '../../src/access/keys.ts'
import { type Image, mayChangeUser, run, serve, userOf } from './container.ts'
import { digestOf } from './folder-facts.ts'

const starts = 5
const token = 'smoke-test-token'

/**
 * Runs an image in front of the sandbox Hilos, and checks its start, its responses, its HEALTHCHECK and its end.
 * @param say called with one line for each check that passed
 * @throws Error at the first check that failed
 */
export async function smokeTest(image: Image, folder: string, say: (line: string) => void): Promise<void> {
  const sandbox = createSandbox({ token })
  const key = createKey()
  try {
    const secrets = await writeSecrets(image, folder, { 'hilos-token': token, 'callers.json': callersOf(key) })
    const settings = {
      HILOS_BASE_URL: await sandbox.listen(),
      HILOS_TOKEN_FILE: join(secrets, 'hilos-token'),
      CALLERS_FILE: join(secrets, 'callers.json'),
      CONTACT_REF_KEY: 'smoke test contact ref key',
      // The image listens on every address, but this process needs only loopback.
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_PORT: String(await freePort()),
    }
    const before = digestOf(image.root)
    const times = [await checkService(image, settings, key, say)]
    while (times.length < starts) {
      const service = await serve(image, settings)
      times.push(service.startedAfterMs)
      await service.stop()
    }
    say(`start: ${ms(times.sort((one, other) => one - other)[starts >> 1] ?? 0)} until it serves, median of ${starts}`)
    expect(digestOf(image.root), before, 'its files')
    say('files: none was added, changed or removed')
  } finally {
    await sandbox.close()
  }
}

/** Returns how long the service took to start, in milliseconds. */
async function checkService(
  image: Image,
  settings: Readonly<Record<string, string>> & { readonly ADMIN_PORT: string },
  key: string,
  say: (line: string) => void,
): Promise<number> {
  const healthcheck = () => run(image, image.config.healthcheck?.command ?? [], settings)
  const service = await serve(image, settings)
  try {
    for (const path of ['/livez', '/readyz']) {
      expect((await fetch(`http://127.0.0.1:${settings.ADMIN_PORT}${path}`)).status, 200, path)
      say(`GET ${path}: 200`)
    }
    say(await checkVersion(image, settings.ADMIN_PORT))
    const contact = `${service.origin}/execution-contacts/${documentIds.completed}`
    expect((await fetch(contact)).status, 401, 'a contact without a key')
    const reply = await fetch(contact, { headers: { authorization: `Bearer ${key}` } })
    expect(reply.status, 200, 'a contact')
    say(`GET a contact: 401 without a key, 200 with a key, ${(await reply.arrayBuffer()).byteLength} bytes`)
    const health = await healthcheck()
    expect(health.status, 0, `HEALTHCHECK (${health.output})`)
    say(`HEALTHCHECK: exit status 0 after ${ms(health.ms)}`)
  } catch (error) {
    await service.stop()
    throw error
  }
  const end = await service.stop()
  expect(end.status, 0, `the exit status (${end.output})`)
  say(`${image.config.stopSignal}: exit status 0 after ${ms(end.ms)}`)
  const health = await healthcheck()
  expect(health.status, 1, 'HEALTHCHECK after the end')
  say(`HEALTHCHECK after the end: exit status 1, ${health.output.trim()}`)
  return service.startedAfterMs
}

/** Checks that the process has the version and the commit of the labels. */
async function checkVersion({ config }: Image, port: string): Promise<string> {
  const reply = await fetch(`http://127.0.0.1:${port}/version`)
  expect(reply.status, 200, '/version')
  const { version, commit } = (await reply.json()) as Record<string, unknown>
  expect(version, config.labels['org.opencontainers.image.version'], 'the version')
  expect(commit, config.labels['org.opencontainers.image.revision'], 'the commit')
  return `GET /version: 200, version ${version} and commit ${commit}, as in the labels`
}

function callersOf(key: string): string {
  return JSON.stringify({ callers: [{ name: 'smoke-test', keySha256: keyHash(key), profile: 'agent' }] })
}

/** Writes files that only the user of the image can read, and returns their folder. */
async function writeSecrets(image: Image, folder: string, secrets: Readonly<Record<string, string>>): Promise<string> {
  const path = join(folder, 'secrets')
  mkdirSync(path)
  chmodSync(path, 0o755)
  for (const [name, text] of Object.entries(secrets)) {
    writeFileSync(join(path, name), text, { mode: 0o400 })
    const { uid, gid } = userOf(image.config)
    if (mayChangeUser) chownSync(join(path, name), uid, gid)
  }
  return path
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

function expect(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${actual} instead of ${expected}`)
}

function ms(time: number): string {
  return `${Math.round(time)} ms`
}
