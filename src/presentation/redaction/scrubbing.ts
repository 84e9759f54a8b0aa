import type { Contact } from '../contact/contact.ts'
import { phoneSpellings } from './phone-spellings.ts'

/** Replaces the phone number and the e-mail address of one contact with `[phone]` and `[email]`. */
export type Scrubber = (text: string) => string

/** The scrubber finds all usual spellings of the phone number and of the e-mail address. */
export function createScrubber({ phone, email }: Pick<Contact, 'phone' | 'email'>): Scrubber {
  const addresses = addressSpellings(email ?? '')
  const numbers = phoneSpellings(phone ?? '')
  // Addresses are replaced first, because an address may contain the number.
  return (text) => text.replace(addresses, '[email]').replace(numbers, replacementOf)
}

/** Keeps an opening parenthesis before the number that is closed only after it: it is not part of the number. */
function replacementOf(number: string): string {
  const unclosed = number.split(/[(（]/).length > number.split(/[)）]/).length
  return number.replace(/^([(（])?.*$/su, unclosed ? '$1[phone]' : '[phone]')
}

/** The texts that a scrubber inserts. */
export const placeholders = /\[(?:phone|email)\]/g

/**
 * Returns a pattern for the e-mail addresses in a text: in upper and lower case, encoded as in URLs, and with accents as one
 * character or as two. It also matches inside a longer address, because that reveals as much.
 */
function addressSpellings(text: string): RegExp {
  // The lengths are the limits of RFC 5321 sections 4.5.3.1.1 and 4.5.3.1.2. A longer pattern would also be slow.
  const addresses = text.match(/(?<![^\s@<>,;])[^\s@<>,;]{1,64}@[^\s@<>,;]{1,255}(?![^\s@<>,;])/gu) ?? []
  const spellings = addresses.flatMap((address) => [address.normalize('NFC'), address.normalize('NFD')])
  return spellings.length === 0 ? /(?!)/g : new RegExp(spellings.map(spellingOf).join('|'), 'giu')
}

function spellingOf(address: string): string {
  const escaped = address.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
  return escaped.replace('@', '(?:@|%40)').replaceAll('\\+', '(?:\\+|%2B)')
}
