import { readFileSync, writeFileSync } from 'node:fs'
import { argv, stderr } from 'node:process'
import { createService } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'
import { createLogger } from '../src/telemetry/logger.ts'

/** Writes `docs/openapi.json` from the routes; with `--check`, only says whether it is what the routes say. */
const file = new URL('../docs/openapi.json', import.meta.url)
const config = loadConfig({ HILOS_TOKEN: 'not-used', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })
const service = await createService(config, createLogger('silent', { write: () => {} }))
const current = `${JSON.stringify(service.callers.swagger(), null, 2)}\n`
await service.close()

if (!argv.includes('--check')) writeFileSync(file, current)
else if (readFileSync(file, 'utf8') !== current) {
  stderr.write('docs/openapi.json is not what the routes say: run `npm run openapi` and commit it.\n')
  process.exitCode = 1
}
