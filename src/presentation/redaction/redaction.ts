import type { Profile } from '../../access/profile.ts'
import type { TSchema } from '../../common/type.ts'
import type { Answer } from '../contact/answer.ts'
import type { ExecutionContact } from '../contact/execution-contact.ts'
import { type Kind, kinds } from '../contact/fields.ts'
import type { IdPseudonym } from '../contact/pseudonyms.ts'
import { readingsOf } from '../spellings/fold.ts'
import { digitsOf, formsOfAll, leastDigits, longestNumberText } from '../spellings/phone-numbers.ts'
import type { Identity } from './identity.ts'
import { createMemo } from './memo.ts'
import { withheldText } from './placeholders.ts'
import { createScrubber } from './scrubbing.ts'
import { longestName, shortName } from './short-name.ts'
import { createWalk, type Rules } from './walk.ts'

/**
 * Makes of a contact what callers with this profile may see.
 * @param contact unredacted; it is changed
 * @param identity that of its document
 */
export type Redact = (contact: ExecutionContact, identity: Identity, profile: Profile) => ExecutionContact

/** @param schema the fields that will be written; the others are not redacted */
export function createRedact(schema: TSchema, pseudonymOf: IdPseudonym): Redact {
  const walk = createWalk<ExecutionContact, RedactedKind>(schema, redactedKinds)
  return (contact, identity, profile) => {
    if (profile === 'full') return contact
    // The pseudonym of a contact is the same in all its documents.
    const scope = contact.contact.ref ?? contact.id
    const shared = sharedRules(identity, (id) => pseudonymOf(scope, id))
    return walk(contact, profile === 'agent' ? agentRules(shared, identity) : viewerRules(shared))
  }
}

type RedactedKind = Exclude<Kind, 'own'>
const redactedKinds = kinds.filter((kind): kind is RedactedKind => kind !== 'own')

const unchanged = <T>(value: T) => value
const withheld = () => null

/** The rules of both profiles. */
function sharedRules(identity: Identity, pseudonymOf: (id: string) => string) {
  const scrub = createScrubber(identity)
  const namesContact = createNumberCheck(identity)
  return {
    scrub,
    words: identity.isComplete ? scrub : (words: string) => unlessIdentifying(scrub(words)),
    // The same id stands in several places.
    id: createMemo((id) => (isOpaque.test(id) && !namesContact(id) ? id : pseudonymOf(id)), 0),
    private: (value: unknown) => (typeof value === 'object' ? {} : null),
    masked: () => true,
  }
}

type SharedRules = ReturnType<typeof sharedRules>

function viewerRules(shared: SharedRules): Rules<RedactedKind> {
  return {
    ...shared,
    text: withheld,
    value: withheld,
    name: withheld,
    phone: withheld,
    place: withheld,
    others: withheld,
  }
}

function agentRules(shared: SharedRules, identity: Identity): Rules<RedactedKind> {
  const { scrub } = shared
  const lastNames = new Set(identity.lastNames)
  // If a number or an address of the contact may be missing, texts cannot be scrubbed.
  const texts = identity.isComplete
    ? { text: scrub, value: (value: NonNullable<Answer['value']>) => scrubbedValue(value, scrub), place: unchanged }
    : { text: withheld, value: withheld, place: withheld }
  return {
    ...shared,
    ...texts,
    name: (name: string) => (name.length > longestName ? null : shortName(scrub(name), lastNames.has(name))),
    phone: masked,
    others: unchanged,
  }
}

/** A value keeps its type if there is nothing to scrub in it. */
function scrubbedValue(value: NonNullable<Answer['value']>, scrub: (text: string) => string) {
  const scrubbed = scrub(String(value))
  return scrubbed === String(value) ? value : scrubbed
}

/** The last four digits if the number has eight or more, otherwise none. */
function masked(phone: string): string {
  const digits = phone.length > longestNumberText ? '' : digitsOf(phone)
  return `****${digits.length < 8 ? '' : digits.slice(-4)}`
}

/** While not all numbers and addresses are known, any of them may be the contact's. */
function unlessIdentifying(words: string): string {
  const mayIdentify = readingsOf(words).some(({ text }) => text.includes('@') || /(?:\d\D*){7}/.test(text))
  return mayIdentify ? withheldText : words
}

/** A UUID, or hexadecimal without any marks: what Hilos generates, and holds nothing. Other ids may have a number inside. */
const isOpaque = /^(?:[\da-f]+|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/i

/** Returns whether an id of hexadecimal digits contains a number of the contact, also as ASCII, or may be one. */
function createNumberCheck({ numbers, isComplete }: Identity): (id: string) => boolean {
  let forms: readonly string[] | null = null
  return (id) => {
    const joined = id.replaceAll('-', '')
    if (!enoughDigits.test(joined)) return false
    forms ??= formsOfAll(numbers).flatMap(({ digits }) => [digits, digits.replaceAll(/\d/g, '3$&')])
    return forms.some((form) => joined.includes(form)) || (!isComplete && /^\d{7,20}$/.test(id))
  }
}

const enoughDigits = new RegExp(`\\d{${leastDigits}}`)
