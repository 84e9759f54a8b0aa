import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { createKey, keyHash } from '../src/access/keys.ts'
import { type Profile, profiles } from '../src/access/profile.ts'

export interface DemoCaller {
  readonly profile: Profile
  readonly key: string
}

/** Makes a caller for each profile, in a callers file that exists until `remove` is called. */
export function createDemoCallers() {
  const folder = mkdtempSync(join(tmpdir(), 'hilos-bff-demo-'))
  const callersFile = join(folder, 'callers.json')
  const callers: readonly DemoCaller[] = profiles.map((profile) => ({ profile, key: createKey() }))
  const entries = callers.map(({ profile, key }) => ({ name: `demo-${profile}`, keySha256: keyHash(key), profile }))
  writeFileSync(callersFile, `${JSON.stringify({ callers: entries }, null, 2)}\n`, { mode: 0o600 })
  return { callers, callersFile, remove: () => rmSync(folder, { recursive: true }) }
}

/**
 * Gets the same contact for each caller, and returns a line for each: what it sees, or the code of its problem.
 * @param url that of a summary
 */
export async function compare(callers: readonly DemoCaller[], url: string): Promise<string> {
  // `fetch` would use the proxy that the environment may name.
  const dispatcher = new Agent()
  const lines = callers.map(async ({ profile, key }) => {
    const { body } = await request(url, { dispatcher, headers: { authorization: `Bearer ${key}` } })
    const { contact, code } = (await body.json()) as { readonly contact?: object; readonly code?: string }
    const { name, phone, email, masked } = Object(contact)
    return `    ${profile.padEnd(7)} ${key}  ${code ?? JSON.stringify({ name, phone, email, masked })}\n`
  })
  const shown = (await Promise.all(lines)).join('')
  await dispatcher.close()
  return shown
}
