import process, { exit, stderr, stdout } from 'node:process'
import { parseArgs } from 'node:util'
import { documentIds } from './documents.ts'
import { createSandbox, publicToken } from './hilos.ts'
import { isScenario, type Scenario, scenarios } from './scenario.ts'

/** `npm run sandbox`: the fake Hilos alone, on loopback, for a service in another process. */
const usage = `Usage: npm run sandbox -- [--port 3010] [--scenario ${scenarios.join('|')}]\n`

const { port, scenario } = readArguments() ?? endWith(usage)
const sandbox = createSandbox({ token: publicToken })
sandbox.setScenario(scenario)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void sandbox.close().then(() => exit(0)))

const baseUrl = await sandbox
  .listen(port)
  .catch(({ code }: NodeJS.ErrnoException) =>
    endWith(`The sandbox cannot listen on port ${port} (${code}). Try: npm run sandbox -- --port ${port + 1}\n`),
  )
stdout.write(instructions())

function readArguments(): { readonly port: number; readonly scenario: Scenario } | null {
  try {
    const options = {
      port: { type: 'string', default: '3010' },
      scenario: { type: 'string', default: 'healthy' },
    } as const
    const { port, scenario } = parseArgs({ options }).values
    return /^\d{1,5}$/.test(port) && Number(port) < 65_536 && isScenario(scenario)
      ? { port: Number(port), scenario }
      : null
  } catch {
    return null
  }
}

function endWith(sentence: string): never {
  stderr.write(sentence)
  exit(1)
}

function instructions(): string {
  const settings = `HILOS_TOKEN=${publicToken} HILOS_BASE_URL=${baseUrl} DANGEROUSLY_ALLOW_ANONYMOUS=true`
  return `
A fake Hilos runs at ${baseUrl} and takes the token ${publicToken}
Its documents, faults and scenarios: ${new URL('/', baseUrl)}

  Check the settings of a service in front of it.
    ${settings} npm run doctor
  Start the service.
    npm run build && ${settings} npm start
  Or start it for a page that you are developing at http://localhost:5173.
    npm run build && CORS_ORIGINS=http://localhost:5173 ${settings} npm start
  Then follow a run that makes progress.
    curl -N 'http://127.0.0.1:3000/execution-contacts/${documentIds.live}/events?view=summary'
  Change the scenario (${scenarios.join(', ')}).
    curl -X PUT ${new URL('/scenario/slow', baseUrl)}

Ctrl-C stops it.

`
}
