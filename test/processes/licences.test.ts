import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import t from 'tap'

interface LockedPackage {
  readonly version: string
  readonly license?: string
  readonly dev?: boolean
  readonly link?: boolean
}

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const locked = Object.entries<LockedPackage>(JSON.parse(read('package-lock.json')).packages)
/** The packages in the image. */
const production = locked
  .filter(([path, { dev, link }]) => path.startsWith('node_modules/') && !dev && !link)
  .map(([path, { version, license }]) => ({ name: path.replace(/.*node_modules\//, ''), version, license }))

/** These licences require only that their notice is kept, and every package contains it. */
const permissive = ['Apache-2.0', 'BlueOak-1.0.0', 'BSD-3-Clause', 'ISC', 'MIT']

t.test('every production package has a permissive licence', async (t) => {
  t.ok(production.length >= Object.keys(JSON.parse(read('package.json')).dependencies).length)
  const others = production.filter(({ license }) => license === undefined || !permissive.includes(license))
  t.strictSame(others, [])
})

t.test('the bill of materials contains the production packages and no others', async (t) => {
  const tool = fileURLToPath(new URL('../../tools/sbom.ts', import.meta.url))
  const bom = JSON.parse(execFileSync(execPath, [tool], { encoding: 'utf8' }))
  const named = bom.components.map((component: Record<string, string>) => `${component.name}@${component.version}`)
  const expected = production.map(({ name, version }) => `${name}@${version}`)
  t.strictSame(new Set(named), new Set(expected))
  const { name, version } = JSON.parse(read('package.json'))
  t.match(bom, { bomFormat: 'CycloneDX', metadata: { component: { name, version } } })
  const refs = new Set([`${name}@${version}`, ...named])
  for (const { ref, dependsOn } of bom.dependencies)
    t.ok(
      [ref, ...dependsOn].every((each) => refs.has(each)),
      ref,
    )
})
