import Fastify from 'fastify'
import t from 'tap'
import { anonymous } from '../../src/access/caller.ts'
import { authenticateCallers, callerOf } from '../../src/plugins/caller-auth.ts'

t.test('a route without the guard shows no data, even beside one that has it', async (t) => {
  const app = Fastify()
  const guard = authenticateCallers(app, {
    authenticate: () => anonymous,
    onCaller: () => {},
    onRefused: (failure) => failure,
  })
  const failures: unknown[] = []
  app.setErrorHandler((error, _request, reply) => {
    failures.push(error)
    return reply.code(500).send()
  })
  app.get('/guarded', { onRequest: guard }, (request) => callerOf(request).name)
  app.get('/forgotten', (request) => callerOf(request).name)
  t.equal((await app.inject('/guarded')).body, 'anonymous')
  t.equal((await app.inject('/forgotten')).statusCode, 500)
  t.match(failures, [{ code: 'internal_error', facts: { reason: 'a route without a guard' } }])
})
