import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { stdout } from 'node:process'

// `npm run --silent sbom`: prints a bill of materials of the production packages as CycloneDX, from the lockfile. `--omit=dev` of
// npm leaves out packages that production and development share, for example lru-cache (https://github.com/npm/cli/issues/7909).
// So npm lists all packages, and those that it marks as development are removed here.

interface Component {
  readonly 'bom-ref': string
  name: string
  readonly properties: readonly { readonly name: string; readonly value: string }[]
}

interface Bom {
  readonly metadata: { readonly component: Component }
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}

const folder = new URL('..', import.meta.url)
const whole = execFileSync('npm', ['sbom', '--sbom-format=cyclonedx', '--package-lock-only'], {
  cwd: folder,
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
})
const bom: Bom = JSON.parse(whole)
// npm uses the name of the folder.
bom.metadata.component.name = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')).name

const components = bom.components.filter(
  ({ properties }) => !properties.some(({ name }) => name === 'cdx:npm:package:development'),
)
const kept = new Set([bom.metadata.component, ...components].map((component) => component['bom-ref']))
const dependencies = bom.dependencies
  .filter(({ ref }) => kept.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => kept.has(other)) }))
stdout.write(`${JSON.stringify({ ...bom, components, dependencies }, null, 2)}\n`)
