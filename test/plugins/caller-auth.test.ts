import Fastify, { type FastifyRequest } from 'fastify'
import t from 'tap'
import { anonymous } from '../../src/access/caller.ts'
import { callerOf, identifyCallers } from '../../src/plugins/caller-auth.ts'

t.test('a route, when its guard was forgotten, shows nobody anything', async (t) => {
  const requestOf = (caller: FastifyRequest['caller']) => ({ caller }) as FastifyRequest
  t.throws(() => callerOf(requestOf(null)), { code: 'internal_error', facts: { reason: 'a route without a guard' } })
  t.equal(callerOf(requestOf(anonymous)), anonymous)
})

t.test('a route without the guard, beside one that has it, shows nobody anything either', async (t) => {
  const app = Fastify()
  const identify = identifyCallers(app, { authenticate: () => anonymous, onGuess: async () => {} })
  const failures: unknown[] = []
  app.setErrorHandler((error, _request, reply) => {
    failures.push(error)
    return reply.code(500).send()
  })
  app.get('/guarded', { onRequest: identify }, (request) => callerOf(request).name)
  app.get('/forgotten', (request) => callerOf(request).name)
  t.equal((await app.inject('/guarded')).body, 'anonymous')
  t.equal((await app.inject('/forgotten')).statusCode, 500)
  t.match(failures, [{ code: 'internal_error', facts: { reason: 'a route without a guard' } }])
})
