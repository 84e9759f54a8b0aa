import { atSign, isDigit, isLowerCase } from './characters.ts'
import type { Folded } from './fold.ts'
import type { Range } from './number-finder.ts'

/**
 * The ids of messages on WhatsApp, which contain a phone number in base 64: `wamid.…`, the same without this word (`HBgN…`),
 * and the older `ABGG…` and `gBEG…`, in which two letters tell the length of the number. Folding has made them lower case.
 */
const messageId = /wamid\.[\w+/=-]+|(?<![a-z0-9+/_-])(?:hbg[a-z]|[ag]b[eg][d-i])[\w+/=-]{12,}/g
/** What one of them contains: looking for these first is much faster. */
const partsOfMessageIds = ['wamid.', 'hbg', 'abe', 'abg', 'gbe', 'gbg']

/** The domains of chats and accounts, with the part of the id of a message that can follow them. */
const chatDomain =
  /@(?:c\.us|g\.us|lid|s\.whatsapp\.net|hosted(?:\.lid)?|broadcast|newsletter)(?![a-z0-9-]|\.[a-z])(_[\w-]+)*/y
const longestChat = 80

/**
 * The ids of messages in a folded text that may hold a number, and those of accounts that have no number (`184069530861739@lid`). The id of an
 * account that is its number, such as `…@c.us`, is left to the search for numbers.
 * @param whole the text before it was folded
 */
export function whatsAppIdsIn({ text, original }: Folded, whole: string): Range[] {
  const mayHaveMessageIds = partsOfMessageIds.some((part) => text.includes(part))
  const messages = mayHaveMessageIds ? text.matchAll(messageId) : []
  const ranges: Range[] = Array.from(messages, ({ 0: id, index }) => ({ start: index, end: index + id.length }))
  const found = ranges.filter(
    ({ start, end }) => text.startsWith('wamid.', start) || mayHoldNumber(whole.slice(original(start), original(end))),
  )
  if (!text.includes('@')) return found
  for (let at = 0; at < text.length; at += 1) {
    if (text.charCodeAt(at) !== atSign) continue
    const start = startOfChat(text, at)
    if (start === null) continue
    chatDomain.lastIndex = at
    if (chatDomain.test(text) && (isMessage(text, start) || isAccount(text, at)))
      found.push({ start, end: chatDomain.lastIndex })
  }
  return found
}

/**
 * Whether the id of a message holds a number: behind three bytes, as ASCII digits or as two digits in a byte. Words can
 * begin like an id, such as "abgeschlossen" in German. An id with other characters, escapes for example, holds one if in doubt.
 */
function mayHoldNumber(id: string): boolean {
  if (!/^[\w+/=-]+$/.test(id)) return true
  // In another case, it is no base 64 of a number any more.
  if (!/^(?:HBg|AB[EG]|gB[EG])/.test(id)) return false
  const number = Buffer.from(id, 'base64').subarray(3, 3 + leastBytes)
  return number.toString('hex').match(id.startsWith('HBg') ? /^(?:3\d)+$/ : /^\d+$/) !== null
}

/** The shortest numbers have six digits. */
const leastBytes = 3

/** In WhatsApp Web, the id of a message begins with whether it is one's own. */
const isMessage = (text: string, start: number) => text.startsWith('true_', start) || text.startsWith('false_', start)
const isAccount = (text: string, at: number) => text.startsWith('@lid', at) || text.startsWith('@hosted.lid', at)

/** Where the chat before an @ begins; null without one. A chat contains digits. */
function startOfChat(text: string, at: number): number | null {
  let [start, hasDigit] = [at, false]
  for (; start > 0 && at - start < longestChat; start -= 1) {
    const code = text.charCodeAt(start - 1)
    if (!isOfChat(code)) break
    hasDigit ||= isDigit(code)
  }
  return hasDigit ? start : null
}

/** A letter, a digit, or one of `_ . : -`. */
function isOfChat(code: number): boolean {
  return isLowerCase(code) || isDigit(code) || code === 0x5f || code === 0x2e || code === 0x3a || code === 0x2d
}
