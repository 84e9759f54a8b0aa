import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKey, keyHash } from '../src/access/keys.ts'
import { profiles } from '../src/access/profile.ts'

/** Makes a caller for each profile, in a callers file that exists while the demo runs. */
export function createDemoCallers() {
  const folder = mkdtempSync(join(tmpdir(), 'hilos-bff-demo-'))
  const callersFile = join(folder, 'callers.json')
  const callers = profiles.map((profile) => ({ profile, key: createKey() }))
  const entries = callers.map(({ profile, key }) => ({ name: `demo-${profile}`, keySha256: keyHash(key), profile }))
  writeFileSync(callersFile, `${JSON.stringify({ callers: entries }, null, 2)}\n`, { mode: 0o600 })

  /** Gets the same contact for each caller, and returns a line for each. */
  async function compare(url: string): Promise<string> {
    const lines = callers.map(async ({ profile, key }) => {
      const reply = await fetch(url, { headers: { authorization: `Bearer ${key}` } })
      const { contact } = (await reply.json()) as { contact: Record<string, unknown> }
      const { name, phone, email, masked } = contact
      return `    ${profile.padEnd(7)} ${key}  ${JSON.stringify({ name, phone, email, masked })}`
    })
    return (await Promise.all(lines)).join('\n')
  }

  return { callersFile, compare, remove: () => rmSync(folder, { recursive: true }) }
}
