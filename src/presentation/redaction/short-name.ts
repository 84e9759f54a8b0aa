import { digitsOf } from '../spellings/phone-numbers.ts'
import { anyScrubbed } from './placeholders.ts'

/** A visible character that is neither punctuation nor a bracket of an address. */
const readable = /[^\p{P}\p{C}<>]/u

/** A longer text is no name. */
export const longestName = 500
/** A name with so many digits is a number or contains one. */
const digitsOfNumber = 7
const digitsOfIdentifier = 5

/**
 * The first name and the initial of the last name: the first word of a name, and the initial of its last word. Null for a
 * text that is not a name but identifies a person: a number, an address, the id of an account, or a placeholder for one.
 * @param name scrubbed, because a name on WhatsApp often contains the phone number or the e-mail address
 * @param isLastName whether the first name is missing: then only the initial is left
 */
export function shortName(name: string, isLastName: boolean): string | null {
  const hasNumber = digitsOf(name).length >= digitsOfNumber
  const isPart = (word: string) =>
    readable.test(word) && !word.includes('@') && digitsOf(word).length < (hasNumber ? 1 : digitsOfIdentifier)
  const [first, ...others] = name.replace(anyScrubbed, ' ').split(/\s+/).filter(isPart)
  if (first === undefined) return null
  if (isLastName) return initialOf(first)
  const last = others.at(-1)
  return last === undefined ? first : `${first} ${initialOf(last)}`
}

const initialOf = (word: string) => `${readable.exec(word)?.[0]}.`
