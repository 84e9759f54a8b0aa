import t from 'tap'
import { createMemoryBrake } from '../../src/plugins/memory-brake.ts'
import { createClock } from '../harness/clock.ts'

/** The brake of a process that may have 1000 bytes, which are short from 900 on and for 5 s in one go. */
function createBrake() {
  const clock = createClock()
  const isShort = createMemoryBrake({ limitBytes: 1000, share: 0.9, longestMs: 5000, elapsed: clock.now })
  /** What it says of these bytes after so many milliseconds. */
  const after = (ms: number, rssBytes: number) => {
    clock.advance(ms)
    return isShort(rssBytes)
  }
  return { after }
}

t.test('memory, by what the process holds, is short beyond the share of the limit', async (t) => {
  for (const [rssBytes, short] of [
    [0, false],
    [900, false],
    [901, true],
    [1001, true],
  ] as const)
    t.equal(createBrake().after(0, rssBytes), short, String(rssBytes))
})

t.test('memory, when it stays short, is so for the longest spell, and then is what the process needs', async (t) => {
  const { after } = createBrake()
  t.equal(after(0, 920), true)
  t.equal(after(4999, 910), true)
  t.equal(after(1, 920), false)
  t.equal(after(0, 960), false, 'half of what was left')
  t.equal(after(0, 961), true)
  t.equal(after(4999, 970), true)
  t.equal(after(1, 970), false)
  t.equal(after(0, 985), false)
  t.equal(after(0, 986), true)
})

t.test('memory, when it comes back, is short again where it was, for as long again', async (t) => {
  const { after } = createBrake()
  t.equal(after(0, 901), true)
  t.equal(after(4000, 900), false)
  t.equal(after(4000, 901), true)
  t.equal(after(4999, 901), true)
  t.equal(after(1, 901), false)
})

t.test('memory, when it is beyond the limit and the process lives, is short once for each growth', async (t) => {
  const { after } = createBrake()
  t.equal(after(0, 2000), true)
  t.equal(after(5000, 2000), false)
  t.equal(after(0, 2000), false)
  t.equal(after(0, 2001), true)
})
