import { spawnSync } from 'node:child_process'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import t from 'tap'

t.test('a watched file does not keep the process alive', async (t) => {
  const module = new URL('../../src/rotation/watched-file.ts', import.meta.url)
  const path = fileURLToPath(import.meta.url)
  const script = `import { watchFile } from '${module}'; watchFile('${path}', () => {}, { maxBytes: 64 })`
  const { status, stderr } = spawnSync(execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  t.strictSame([status, stderr], [0, ''])
})
