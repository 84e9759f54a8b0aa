import { readFileSync, writeFileSync } from 'node:fs'
import { argv, stderr } from 'node:process'
import { createService } from '../src/app.ts'
import { loadConfig } from '../src/config/config.ts'
import { createLogger } from '../src/telemetry/logger.ts'

// `npm run openapi`: writes the OpenAPI documents of both listeners from their routes. With `--check`, it writes nothing, and its
// exit status is 1 if a document is not up to date.
const config = loadConfig({ HILOS_TOKEN: 'not-used', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })
const service = await createService(config, createLogger('silent', { write: () => {} }))
await service.operators?.ready()
const documents = {
  'docs/openapi.json': await service.callers.openapi('json'),
  'docs/openapi-operators.json': await service.operators?.openapi('json'),
}
await service.close()

for (const [name, document] of Object.entries(documents)) {
  const file = new URL(`../${name}`, import.meta.url)
  const current = `${JSON.stringify(JSON.parse(String(document)), null, 2)}\n`
  if (!argv.includes('--check')) writeFileSync(file, current)
  else if (readFileSync(file, 'utf8') !== current) {
    stderr.write(`${name} is not up to date: run \`npm run openapi\` and commit the file.\n`)
    process.exitCode = 1
  }
}
