import type { ContactPoint, HilosDocument, HilosMessage, HilosUser } from '../../upstream/document/hilos-document.ts'
import { directionOf } from '../contact/author.ts'
import { nameOf } from '../contact/person.ts'
import { addressesInProse, longestAddress } from '../spellings/address-finder.ts'
import { hasUnclearNumber, isPlainNumber, longestNumberText, numbersIn } from '../spellings/phone-numbers.ts'
import { longestName, shortName } from './short-name.ts'

/** What identifies the contact of a document, so that it can be found in the texts of the document. */
export interface Identity {
  /** The phone numbers, as `numbersIn` returns them. */
  readonly numbers: readonly string[]
  /** The e-mail addresses, as `addressesIn` returns them. */
  readonly addresses: readonly string[]
  /** The names in the document of which only the last name is one. */
  readonly lastNames: readonly string[]
  /**
   * Whether these are all numbers and addresses. If not, free texts are withheld: Hilos has erased the contact or does not
   * name it, there is a number or an address that cannot be read, or there are more than the bounds allow.
   */
  readonly isComplete: boolean
}

/** More would take too much time to look for. A contact has two or three. */
const mostNumbers = 10
const mostAddresses = 5
/** A message on WhatsApp has at most 4,096 characters. */
const longestAnswer = 10_000

/** Collects what identifies the contact from all places of a document that name its numbers and addresses. */
export function identityOf(document: HilosDocument): Identity {
  const { contact } = document
  const collected = createCollection()
  const messages = document.execution_steps.flatMap((step) => step.messages)
  const points: ContactPoint[] = contact === null ? [] : [contact.canonical_phone, contact.phone, contact.email]
  for (const point of [...points, ...messages.flatMap(numbersOf)]) collected.addPoint(point)
  for (const answer of ownAnswersIn(document)) collected.addAnswer(answer)
  const { numbers, addresses, isBounded } = collected.result()
  return {
    numbers,
    addresses,
    lastNames: lastNamesIn(document, messages),
    isComplete: isBounded && contact !== null && contact.id !== null && !contact.is_deleted,
  }
}

/** The contact's number: where an incoming message is from, and where an outgoing one goes to. */
function numbersOf(message: HilosMessage): ContactPoint[] {
  switch (directionOf(message)) {
    case 'in':
      return [message.from_number]
    case 'out':
      return [message.to_number]
    case 'unknown':
      return [message.from_number, message.to_number]
  }
}

/** What the contact wrote when a step asked for a number or an address. */
function ownAnswersIn({ execution_steps }: HilosDocument): string[] {
  const asking = execution_steps.filter(({ step }) => /^(?:EMAIL|PHONE)$/i.test(step?.answer_type ?? ''))
  return asking.flatMap(({ messages, execution_result }) => [
    ...messages.flatMap((message) => (directionOf(message) === 'out' ? [] : (message.body ?? []))),
    String(execution_result ?? ''),
  ])
}

function lastNamesIn(document: HilosDocument, messages: readonly HilosMessage[]): string[] {
  const people = [document.contact, document.status_triggered_by, ...messages.map(({ sent_by }) => sent_by)]
  const withoutFirst = people.filter((person): person is HilosUser => person !== null && !hasFirstName(person))
  return [...new Set(withoutFirst.flatMap((person) => nameOf(person) ?? []))]
}

/** A dash, a number or an address in its place is none. */
const hasFirstName = ({ first_name }: HilosUser) =>
  first_name !== null && (first_name.length > longestName || shortName(first_name, false) !== null)

function createCollection() {
  const [numbers, addresses, seen] = [new Map<string, string>(), new Set<string>(), new Set<ContactPoint>()]
  let isReadable = true

  /** Returns whether there is a number or an address in a text. */
  function add(text: string): boolean {
    const [newNumbers, newAddresses] = [numbersIn(text), isPlainNumber(text) ? [] : addressesInProse(text)]
    for (const number of newNumbers) {
      const digits = number.replace('+', '')
      if (number !== digits || !numbers.has(digits)) numbers.set(digits, number)
    }
    for (const address of newAddresses) addresses.add(address)
    if (hasUnclearNumber(text)) isReadable = false
    return newNumbers.length + newAddresses.length > 0
  }

  const isFull = () => numbers.size > mostNumbers || addresses.size > mostAddresses

  return {
    /** A number or an address that is there has to be readable. */
    addPoint: (point: ContactPoint) => {
      if (point === null || seen.has(point) || isFull()) return
      seen.add(point)
      if (typeof point !== 'string' || point.length > longestNumberText) isReadable = false
      else if (point.trim() !== '') isReadable = add(point) && isReadable
    },
    /** A text that may contain numbers and addresses. */
    addAnswer: (answer: string) => {
      if (isFull()) return
      if (answer.length > longestAnswer) isReadable = false
      else add(answer)
    },
    result: () => ({
      numbers: [...numbers.values()].slice(0, mostNumbers),
      addresses: [...addresses].filter(({ length }) => length <= longestAddress).slice(0, mostAddresses),
      isBounded: isReadable && !isFull() && [...addresses].every(({ length }) => length <= longestAddress),
    }),
  }
}
