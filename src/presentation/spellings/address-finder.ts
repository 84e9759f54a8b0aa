import { atSign } from './characters.ts'
import { plainest } from './fold.ts'
import type { Range } from './number-finder.ts'

/** The longest address of RFC 5321 (https://www.rfc-editor.org/errata/eid1690). */
export const longestAddress = 254

/** The e-mail addresses in a text, folded. White space around the @ does not end an address, and no mark begins one. */
export function addressesIn(text: string): string[] {
  // Almost all are written like this.
  if (/^[a-z\d][\w.+-]*@[\w.-]*[a-z\d]$/i.test(text)) return [text.toLowerCase()]
  const parts = plainest(text).split('@')
  return parts.slice(1).flatMap((behind, index) => {
    const [, local] = /(?<![^\s<>,;:])([^\s<>,;:]+) ?$/.exec(parts[index] as string) ?? []
    const [, domain] = /^ ?([\p{L}\p{N}._-]*[\p{L}\p{N}])/u.exec(behind) ?? []
    return local && domain ? [`${local.replace(/^[^\p{L}\p{N}]+(?=.)/u, '')}@${domain}`] : []
  })
}

/**
 * The same for a text that may not be an address alone: a mark in an address, as in `email=ana@x.mx`, may also be one before
 * it, so each possibility is there.
 */
export function addressesInProse(text: string): string[] {
  if (addressAlone.test(text)) return addressesIn(text)
  return [text, plainest(text).replace(/[^\p{L}\p{N}._+@-]+/gu, ' ')].flatMap(addressesIn)
}

/** The characters of RFC 5322 section 3.2.3, without the equals sign. */
const addressAlone = /^[\w!#$%&'*+/?^`{|}~.-]+@[\w.-]+$/

/**
 * Returns a function that finds e-mail addresses in a folded text. White space in an address does not hide it, nor do
 * quotation marks, brackets and what makes a word bold. An address
 * is also found inside a longer one, because that reveals as much. Its time is in proportion to the length of the text.
 * @param addresses as `addressesIn` returns them, at most 16
 */
export function createAddressFinder(addresses: readonly string[]): (text: string) => Range[] {
  const [locals, domains] = [createTree(), createTree()]
  for (const [index, address] of addresses.entries()) {
    const [local = '', domain = ''] = address.split('@')
    locals.add(Array.from(local).reverse().join(''), 1 << index)
    domains.add(domain, 1 << index)
  }

  return (text) => {
    const found: Range[] = []
    if (!text.includes('@')) return found
    for (let at = 0; at < text.length; at += 1) {
      if (text.charCodeAt(at) !== atSign) continue
      const before = locals.wordsAt(text, at - 1, -1)
      const behind = before.length === 0 ? [] : domains.wordsAt(text, at + 1, 1)
      const domain = behind.find(({ owners }) => before.some((local) => (local.owners & owners) !== 0))
      const local = domain && before.find(({ owners }) => (owners & domain.owners) !== 0)
      if (local && domain) found.push({ start: local.last, end: domain.last + 1 })
    }
    return found
  }
}

interface Word {
  /** The index of the last of its code units. */
  readonly last: number
  readonly owners: number
}

interface Node {
  readonly children: Map<number, Node>
  /** The addresses that this is a part of, as bits. */
  owners: number
}

const createNode = (): Node => ({ children: new Map(), owners: 0 })

/** A tree of words by their code units, so that all of them are compared with a text at once. */
function createTree() {
  const root = createNode()

  function add(word: string, owner: number): void {
    let node = root
    for (let index = 0; index < word.length; index += 1) {
      const code = word.charCodeAt(index)
      const child = node.children.get(code) ?? createNode()
      node.children.set(code, child)
      node = child
    }
    node.owners |= owner
  }

  /**
   * The words that stand at an index of a text, the longest first.
   * @param direction 1, or -1 for words that are read backwards
   */
  function wordsAt(text: string, start: number, direction: 1 | -1): readonly Word[] {
    if (!root.children.has(text.charCodeAt(start)) && !isFiller(text, start)) return noWords
    let node: Node | undefined = root
    const words: Word[] = []
    for (let index = start; node !== undefined; index += direction) {
      const next: Node | undefined = node.children.get(text.charCodeAt(index))
      if (next === undefined && isFiller(text, index)) continue
      node = next
      if (node !== undefined && node.owners !== 0) words.unshift({ last: index, owners: node.owners })
    }
    return words
  }

  return { add, wordsAt }
}

const noWords: readonly Word[] = []
/** The end of a text is none. */
const isFiller = (text: string, index: number) => ' "*`[]()'.includes(text.charAt(index) || 'x')
