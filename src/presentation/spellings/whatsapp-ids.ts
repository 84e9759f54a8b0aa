import { atSign, isDigit, isLowerCase } from './characters.ts'
import type { Range } from './number-finder.ts'

/**
 * The ids of messages on WhatsApp, which contain a phone number in base 64: `wamid.…`, the same without this word (`HBgN…`),
 * and the older `ABGG…` and `gBEG…`, in which two letters tell the length of the number. Folding has made them lower case. Words
 * begin like the last two, such as "abgeschlossen" in German, so these count as ids only with a digit or a mark of base 64 in them.
 */
const messageId = /wamid\.[\w+/=-]+|(?<![a-z0-9+/_-])(?:hbg[a-z]|[ag]b[eg][d-i](?=[a-z]*[\d+/=_-]))[\w+/=-]{12,}/g
/** What one of them contains: looking for these first is much faster. */
const partsOfMessageIds = ['wamid.', 'hbg', 'abe', 'abg', 'gbe', 'gbg']

/** The domains of chats and accounts, with the part of the id of a message that can follow them. */
const chatDomain =
  /@(?:c\.us|g\.us|lid|s\.whatsapp\.net|hosted(?:\.lid)?|broadcast|newsletter)(?![a-z0-9-]|\.[a-z])(_[\w-]+)*/y
const longestChat = 80

/**
 * The ids of messages in a folded text, and those of accounts that have no number (`184069530861739@lid`). The id of an
 * account that is its number, such as `…@c.us`, is left to the search for numbers.
 */
export function whatsAppIdsIn(text: string): Range[] {
  const mayHaveMessageIds = partsOfMessageIds.some((part) => text.includes(part))
  const messages = mayHaveMessageIds ? text.matchAll(messageId) : []
  const found: Range[] = Array.from(messages, ({ 0: id, index }) => ({ start: index, end: index + id.length }))
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
