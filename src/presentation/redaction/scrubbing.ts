import { phoneSpellings } from './phone-spellings.ts'

/** What is looked for in texts; null where nothing is known. */
export interface Traces {
  readonly phone: string | null
  readonly email: string | null
}

/** The text with `[phone]` and `[email]` in the place of a contact's own. */
export type Scrubber = (text: string) => string

/** Replaces each usual spelling of the phone number and of the e-mail address, and touches nothing else. */
export function createScrubber({ phone, email }: Traces): Scrubber {
  const addresses = addressSpellings(email ?? '')
  const numbers = phoneSpellings(phone ?? '')
  // An address may have the number in it, and no number has an address in it.
  return (text) => text.replace(addresses, '[email]').replace(numbers, replacementOf)
}

/** A parenthesis before the number that is not closed inside of it is none of its own. */
function replacementOf(number: string): string {
  const unclosed = number.split(/[(（]/).length > number.split(/[)）]/).length
  return number.replace(/^([(（])?.*$/su, unclosed ? '$1[phone]' : '[phone]')
}

/** Names that scrubbing leaves in a text. */
export const placeholders = /\[(?:phone|email)\]/g

/**
 * Matches each e-mail address in a text, in either case, also as URLs write it, and with accents as one character or as two.
 * Where it stands does not matter: a part of a longer address tells as much.
 */
function addressSpellings(text: string): RegExp {
  // RFC 5321 sections 4.5.3.1.1 and 4.5.3.1.2: what is longer is no address, and would take its time to be looked for.
  const addresses = text.match(/(?<![^\s@<>,;])[^\s@<>,;]{1,64}@[^\s@<>,;]{1,255}(?![^\s@<>,;])/gu) ?? []
  const spellings = addresses.flatMap((address) => [address.normalize('NFC'), address.normalize('NFD')])
  return spellings.length === 0 ? /(?!)/g : new RegExp(spellings.map(spellingOf).join('|'), 'giu')
}

function spellingOf(address: string): string {
  const escaped = address.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
  return escaped.replace('@', '(?:@|%40)').replaceAll('\\+', '(?:\\+|%2B)')
}
