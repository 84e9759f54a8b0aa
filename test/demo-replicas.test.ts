import t from 'tap'
import { configsOf, replicasIn } from '../sandbox/demo-replicas.ts'
import { loadConfig } from '../src/config/config.ts'

t.test('the arguments say how many replicas', async (t) => {
  t.equal(replicasIn([]), 1)
  t.equal(replicasIn(['--replicas', '1']), 1)
  t.equal(replicasIn(['--replicas=9']), 9)
  for (const wrong of [
    '--replicas',
    '--replicas 0',
    '--replicas 10',
    '--replicas 3.0',
    '--replicas -1',
    '--replica 3',
    '3',
  ])
    t.equal(replicasIn(wrong.split(' ')), null, wrong)
})

const configWith = (settings: object) =>
  loadConfig({ HILOS_TOKEN: 'x', DANGEROUSLY_ALLOW_ANONYMOUS: 'true', HILOS_MAX_RPS: '4', ...settings })

t.test('replicas have ports next to each other, and share the ration or divide it', async (t) => {
  const config = configWith({ HOST: '0.0.0.0' })
  t.strictSame(configsOf(config, 1, false), [config])
  const ofTwo = (isShared: boolean) =>
    configsOf(config, 2, isShared).map(({ callers, operators, hilos }) => [
      ...[callers.host, callers.port, operators?.port, hilos.maxCallsPerSecond],
    ])
  t.strictSame(ofTwo(true), [
    ['127.0.0.1', 3011, 3001, 4],
    ['127.0.0.1', 3012, 3002, 4],
  ])
  t.strictSame(ofTwo(false), [
    ['127.0.0.1', 3011, 3001, 2],
    ['127.0.0.1', 3012, 3002, 2],
  ])
  t.match(configsOf(configWith({ PORT: '0', ADMIN_PORT: '0' }), 2, true), [
    { callers: { port: 0 }, operators: null },
    { callers: { port: 0 }, operators: null },
  ])
})
