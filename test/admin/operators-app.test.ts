import t from 'tap'
import { createOperatorsApp } from '../../src/admin/operators-app.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { startService } from '../harness/service.ts'

t.test('livez, when the event loop turns, is ok and never from a cache', async (t) => {
  const app = createOperatorsApp(createLogger('silent', { write: () => {} }))
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  for (const method of ['GET', 'HEAD']) {
    const reply = await fetch(`${origin}/livez`, { method })
    t.equal(reply.status, 200)
    t.equal(reply.headers.get('cache-control'), 'no-store')
    t.equal(await reply.text(), method === 'GET' ? 'ok\n' : '')
  }
})

t.test('the operators’ listener, when turned off, is not there; the callers’ never has its routes', async (t) => {
  const off = await startService(t, { env: { ADMIN_PORT: '0' } })
  t.equal(off.service.operators, null)
  const on = await startService(t)
  t.not(on.service.operators, null)
  t.equal((await on.get('/livez')).status, 404)
})
