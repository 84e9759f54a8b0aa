import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { faultIds } from '../../sandbox/faults.ts'
import { startService, until } from '../harness/service.ts'

const running = documentIds.deliveryConfirmation
const pathOf = (id: string) => `/execution-contacts/${id}`

t.test('a request, when it is over, is one line with these fields and no others', async (t) => {
  const { get, as, clock, sandbox, logLines } = await startService(t, { callers: [{ name: 'web', profile: 'agent' }] })
  const lines = () => logLines().filter(({ msg }) => msg === 'answered')
  const fields = () => {
    const { time: _time, durationMs, waitedMs, level: _level, msg: _msg, ...rest } = lines().at(-1) ?? {}
    t.ok(typeof durationMs === 'number' && durationMs >= Number(waitedMs ?? 0))
    return { ...rest, ...(waitedMs !== undefined && { waited: true }) }
  }
  const common = { requestId: 'r', method: 'GET', route: '/execution-contacts/:id', status: 200, caller: 'web' }
  const ask = async (path = `${pathOf(running)}?view=summary`, headers: Record<string, string> = as('web')) => {
    await get(path, { 'x-request-id': 'r', ...headers })
    return fields()
  }
  t.strictSame(await ask(), { ...common, cache: 'uri-miss', waited: true })
  t.strictSame(await ask(), { ...common, cache: 'hit' })
  clock.advance(10_000)
  t.strictSame(await ask(), { ...common, cache: 'hit', detail: 'revalidating' })
  await until(() => sandbox.requests.length === 2)
  t.strictSame(await ask(pathOf('canary')), {
    ...common,
    status: 400,
    err: { type: 'Failure', code: 'invalid_id' },
  })
  t.strictSame(await ask('/canary?canary', {}), {
    requestId: 'r',
    method: 'GET',
    route: null,
    status: 404,
    err: { type: 'Failure', code: 'route_not_found' },
  })
  t.equal(lines().length, 5)
  t.notMatch(JSON.stringify(lines()), new RegExp(`canary|${running}|hbff_`))
})

t.test('a request, when it ends in a failure, is a line as grave as that', async (t) => {
  const { get, logLines } = await startService(t)
  for (const [path, level] of [
    [pathOf('x'), 30],
    [pathOf(faultIds.broken), 40],
  ] as const) {
    await get(path)
    t.equal(logLines().findLast(({ msg }) => msg === 'answered')?.level, level, path)
  }
})
