import t from 'tap'

t.test('the memory of the process is read, and is 0 when it cannot be read', async (t) => {
  let isReadable = true
  const rss = () => {
    if (isReadable) return 123
    throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
  }
  const { residentBytes } = await t.mockImport<typeof import('../../src/common/memory.ts')>(
    '../../src/common/memory.ts',
    { 'node:process': { memoryUsage: { rss } } },
  )
  t.equal(residentBytes(), 123)
  isReadable = false
  t.equal(residentBytes(), 0)
})
