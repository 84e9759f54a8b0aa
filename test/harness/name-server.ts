import dns from 'node:dns'
import type { Test } from 'tap'

type Answer = (error: Error | null, ...answer: [string, number] | [{ address: string; family: 4 }[]]) => void

/** Answers look-ups of these names until the test ends. `addresses` may change, and `lookups` lists the names. */
export function startNameServer(t: Test, addresses: Map<string, string>) {
  const lookups: string[] = []
  t.intercept(dns, 'lookup', {
    value: (name: string, { all }: { all?: boolean }, answer: Answer) => {
      lookups.push(name)
      const address = addresses.get(name)
      setImmediate(() => {
        if (address === undefined) answer(Object.assign(new Error('unknown name'), { code: 'ENOTFOUND' }), '', 0)
        else if (all) answer(null, [{ address, family: 4 }])
        else answer(null, address, 4)
      })
    },
  })
  return { lookups }
}
