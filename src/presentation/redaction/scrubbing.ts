import { createAddressFinder } from '../spellings/address-finder.ts'
import { type Folded, readingsOf } from '../spellings/fold.ts'
import { createNumberFinder, type Range } from '../spellings/number-finder.ts'
import { whatsAppIdsIn } from '../spellings/whatsapp-ids.ts'
import type { Identity } from './identity.ts'
import { createMemo } from './memo.ts'
import { scrubbed, withheldText } from './placeholders.ts'

/** Replaces the phone numbers and the e-mail addresses of one contact in a text, and ids that contain a number. */
export type Scrubber = (text: string) => string

/**
 * Whether a text has something without which nothing can be found: as many digits as the shortest number, an @, the
 * beginning of an escape or of an id of WhatsApp, or a character that may fold to one of them. Western letters, punctuation
 * and emojis do not, except digits in circles and of old displays.
 */
const mayIdentify =
  // biome-ignore lint/suspicious: all of ASCII but @ % & \, and halves of emojis
  /(?:\d\D*){6}|[^\x00-$'-?A-[\]-\x7f\xa0-\xb1\xb4-\xb8\xba\xbb\xbf-\u024f\u2010-\u2027\u20ac\ud83c-\ud83e\udc00-\udfff\ufe0f]|\ud83c[\udd00-\udd6f]|\ud83e[\udff0-\udff9]|wamid|hbg|[ag]b[eg]/i

interface Finding extends Range {
  readonly placeholder: string
}

/**
 * How many characters are looked through, in the texts of one document that may have something in them. They are as many as
 * in 250 messages of the greatest length on WhatsApp. Further texts are withheld, because looking through them would hold
 * the event loop.
 */
const mostCharacters = 1_000_000

/** The scrubber finds numbers and addresses in all spellings that `readingsOf` undoes. It is made for one document. */
export function createScrubber({ numbers, addresses }: Pick<Identity, 'numbers' | 'addresses'>): Scrubber {
  // Many documents have no text in which anything has to be looked for.
  const [findAddresses, findNumbers] = [
    lazily(() => createAddressFinder(addresses)),
    lazily(() => createNumberFinder(numbers)),
  ]

  let left = mostCharacters

  return createMemo((original) => {
    if (!mayIdentify.test(original)) return original
    left -= original.length
    if (left < 0) return withheldText
    const found = readingsOf(original).flatMap((reading) => findingsIn(original, reading))
    return found.length === 0 ? original : replaced(original, found)
  })

  function findingsIn(whole: string, folded: Folded): Finding[] {
    const { text, original } = folded
    // A character may fold to several, of which only the first belong to what was found.
    const endOf = (end: number) => {
      let next = end
      while (next < text.length && original(next) === original(end - 1)) next += 1
      return original(next)
    }
    const inOriginal = (ranges: readonly Range[], placeholder: string) =>
      ranges.map(({ start, end }) => ({
        start: original(start),
        end: endBeforeFormat(whole, endOf(end)),
        placeholder,
      }))
    // The first of these is replaced where two overlap, because an address or an id may contain the number.
    return [
      ...inOriginal(whatsAppIdsIn(folded, whole), scrubbed.id),
      ...inOriginal(findAddresses()(text), scrubbed.email),
      ...inOriginal(findNumbers()(text), scrubbed.phone),
    ]
  }
}

function lazily<T>(create: () => T): () => T {
  let created: T | null = null
  return () => {
    created ??= create()
    return created
  }
}

/** Format characters behind a finding stay: they may end the direction of a text that begins before it. */
function endBeforeFormat(text: string, end: number): number {
  let before = end
  while (/\p{Cf}/u.test(text.charAt(before - 1))) before -= 1
  return before
}

function replaced(text: string, found: readonly Finding[]): string {
  const parts: string[] = []
  let end = 0
  for (const finding of isInOrder(found) ? found : found.toSorted((one, other) => one.start - other.start)) {
    if (finding.start >= end) parts.push(text.slice(end, finding.start), finding.placeholder)
    // What sticks out of a finding that is replaced already identifies the contact as well.
    end = Math.max(end, finding.end)
  }
  return [...parts, text.slice(end)].join('')
}

const isInOrder = (found: readonly Finding[]) =>
  found.every(({ start }, index) => index === 0 || start >= (found[index - 1] as Finding).start)
