import dns from 'node:dns'
import type { Test } from 'tap'

type Answer = (error: Error | null, ...answer: [string, number] | [{ address: string; family: 4 }[]]) => void

/**
 * Answers look-ups of these names until the test ends. `addresses` may change, and `lookups` lists the names.
 * @param answerWhen resolves when a look-up may be answered; the first one has the number 1
 */
export function startNameServer(
  t: Test,
  addresses: Map<string, string>,
  answerWhen = async (_number: number): Promise<void> => {},
) {
  const lookups: string[] = []
  t.intercept(dns, 'lookup', {
    value: async (name: string, { all }: { all?: boolean }, answer: Answer) => {
      lookups.push(name)
      const address = addresses.get(name)
      await answerWhen(lookups.length)
      if (address === undefined) answer(Object.assign(new Error('unknown name'), { code: 'ENOTFOUND' }), '', 0)
      else if (all) answer(null, [{ address, family: 4 }])
      else answer(null, address, 4)
    },
  })
  return { lookups }
}
