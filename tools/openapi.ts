import { readFileSync, writeFileSync } from 'node:fs'
import { argv, stderr } from 'node:process'
import { createService } from '../src/app.ts'
import { loadConfig } from '../src/config/config.ts'
import { createLogger } from '../src/telemetry/logger.ts'

/** Writes the OpenAPI documents of both listeners from their routes; with `--check`, only says whether they are what the routes say. */
const config = loadConfig({ HILOS_TOKEN: 'not-used', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })
const service = await createService(config, createLogger('silent', { write: () => {} }))
await service.operators?.ready()
const documents = {
  'docs/openapi.json': service.callers.swagger(),
  'docs/openapi-operators.json': service.operators?.swagger(),
}
await service.close()

for (const [name, document] of Object.entries(documents)) {
  const file = new URL(`../${name}`, import.meta.url)
  const current = `${JSON.stringify(document, null, 2)}\n`
  if (!argv.includes('--check')) writeFileSync(file, current)
  else if (readFileSync(file, 'utf8') !== current) {
    stderr.write(`${name} is not what the routes say: run \`npm run openapi\` and commit it.\n`)
    process.exitCode = 1
  }
}
