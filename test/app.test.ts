import t from 'tap'
import { createService } from '../src/app.ts'
import { loadConfig } from '../src/config/config.ts'
import { createLogger } from '../src/telemetry/logger.ts'

t.test('with the host localhost the callers’ listener is a single server, so all of it is drained', async (t) => {
  const logger = createLogger('silent', { write: () => {} })
  const settings = { HILOS_TOKEN: 'not-used', DANGEROUSLY_ALLOW_ANONYMOUS: 'true', HOST: 'localhost' }
  const config = loadConfig({ ...settings, PORT: '0', ADMIN_PORT: '0' })
  const { listen, close, callers } = await createService(config, logger)
  t.teardown(() => close())
  const listening = t.capture(callers, 'listen', callers.listen)
  t.match(await listen(), { origin: /^http:\/\/127\.0\.0\.1:/, operators: null })
  // On some machines localhost has only one address anyway.
  t.match(listening(), [{ args: [{ host: '127.0.0.1' }] }])
})
