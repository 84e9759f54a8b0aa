import fc from 'fast-check'
import { contracts, type Kind, Literal, type Shape } from '../harness/canary-document.ts'
import { mayEverLeave } from '../harness/may-leave.ts'
import {
  anyJson,
  arrayText,
  canary,
  member,
  numbered,
  objectText,
  oddMember,
  oddNumbers,
  oddTexts,
  type Texts,
} from './json-text.ts'

/** The id of the requested contact. */
export const requestedId = 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'

/** Keys of `contact.meta` that a test may publish. */
export const metaKeys = ['tier', '__proto__', 'toJSON', 'constructor'] as const

/** Values on which the presentation depends, by field. */
const words: Readonly<Record<string, string>> = {
  status: `READY RUNNING PAUSED COMPLETED CANCELED EXPIRED FAILED WAITING_TO_START NOT_EXECUTED UNKNOWN new retry accepted
    sending sent receiving received delivered undelivered failed read deleted`,
  direction: 'in INBOUND incoming received out OUTBOUND outgoing sent',
  source: 'INBOUND INBOX AUTO_RESPONSE API BROADCAST FLOW',
  msg_type: 'audio voice document text image sticker video template location contacts',
  content_type: 'image/jpeg VIDEO/mp4;x=1 text/plain',
  step_type: 'QUESTION DELAY API_CALL WEBHOOK',
  provider_error_code: '131047 4 132000',
}

/**
 * Some of the members that an object can have, some of them more than once, and odd ones. Members that contain further
 * members are seldom missing. Among the others, the interesting ones are picked more often.
 */
function membersOf(...shapes: readonly Shape[]): fc.Arbitrary<string[]> {
  const parts = shapes.flatMap((shape) => Object.entries(shape as Readonly<Record<string, Shape>>))
  const members = parts.map(([name, part]) => ({ name, part, arbitrary: memberOf(name, part) }))
  const holders = members
    .filter(({ part }) => holdsMore(part))
    .map(({ arbitrary }) => fc.option(arbitrary, { freq: 8 }))
  const leaves = members.filter(({ part }) => !holdsMore(part))
  const weighted = leaves.map(({ name, arbitrary }) => ({ arbitrary, weight: interesting.has(name) ? 4 : 1 }))
  const some = fc.oneof(...weighted, { arbitrary: oddMember, weight: 1 })
  const most = Math.min(leaves.length * 2, mostPicked)
  return fc
    .tuple(fc.tuple(...holders), fc.array(some, { maxLength: most, size: 'max' }))
    .map(([held, picked]) => [...held.filter((text) => text !== null), ...picked])
}

/** Enough for most fields that are read to be there at the same time. */
const mostPicked = 40

/** Fields that may leave, and fields on which that depends. */
const interesting = new Set([
  ...[...mayEverLeave('transcript')].flatMap((path) => path.split('.')),
  ...[...Object.keys(words), 'is_deleted', 'has_options_from_variable', 'meta'],
])

const holdsMore = (shape: Shape) => typeof shape === 'object' && !(shape instanceof Literal)

function memberOf(name: string, shape: Shape): Texts {
  return partOf(name, shape).map((value) => member(JSON.stringify(name), value))
}

function partOf(name: string, shape: Shape): Texts {
  const known = words[name]?.split(/\s+/).map((word) => JSON.stringify(word)) ?? []
  return fc.oneof(
    { weight: 20, arbitrary: usual(shape) },
    { weight: known.length > 0 ? 20 : 0, arbitrary: fc.constantFrom('null', ...known) },
    { weight: 1, arbitrary: fc.constantFrom('null', ...Object.values(canary), arrayText([canary.text])) },
    { weight: 1, arbitrary: anyJson },
  )
}

/** The texts that were made of a shape. Many places have the same shape. */
const made = new Map<Shape, Texts>()

function usual(shape: Shape): Texts {
  const texts = made.get(shape) ?? usualOf(shape)
  made.set(shape, texts)
  return texts
}

function usualOf(shape: Shape): Texts {
  if (typeof shape === 'string') return leafOf(shape)
  if (shape instanceof Literal) {
    const others = typeof shape.value === 'boolean' ? ['true', 'false'] : [canary.text]
    return fc.constantFrom(JSON.stringify(shape.value), ...others)
  }
  if (!isList(shape)) return membersOf(shape).map(objectText)
  const element = fc.oneof(
    { arbitrary: fc.constant('null'), weight: 1 },
    ...shape.map((part) => ({ arbitrary: usual(part), weight: 4 })),
  )
  return fc.oneof(
    { arbitrary: fc.constant('[]'), weight: 1 },
    { arbitrary: fc.array(element, { minLength: 1, maxLength: 3 }).map(arrayText), weight: 5 },
  )
}

const isList = (shape: Shape): shape is readonly Shape[] => Array.isArray(shape)

function leafOf(kind: Kind): Texts {
  switch (kind) {
    case 'text':
    case 'uuid':
      return mostly(canary.text, oddTexts)
    case 'json':
      return fc.array(metaMember, { maxLength: 4 }).map(objectText)
    case 'instant':
      return mostly(canary.instant, oddTexts)
    case 'count':
    case 'decimal':
      return mostly(canary[kind], oddNumbers)
  }
}

const mostly = (usual: string, odd: Texts) =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: odd })

const metaMember = fc
  .tuple(fc.constantFrom(...metaKeys, 'unpublished'), fc.oneof(fc.constant(canary.text), oddTexts, anyJson))
  .map(([key, value]) => member(JSON.stringify(key), value))

const idMember = fc
  .oneof(
    { weight: 30, arbitrary: fc.constantFrom(requestedId, requestedId.toUpperCase()).map((id) => `"${id}"`) },
    { weight: 1, arbitrary: anyJson },
  )
  .map((value) => member('"id"', value))

/** The least that a document must contain. Other members can still overwrite it. */
const minimum = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom('"contact":{}', '"execution_steps":[]') },
  { weight: 1, arbitrary: oddMember },
)

/** Documents of either contract or of both at once, with members that are missing, wrong or added. */
export const hilosTexts: Texts = fc
  .tuple(minimum, idMember, membersOf(contracts.given, contracts.earlier))
  .map(([first, id, others]) => numbered(objectText([first, id, ...others])))
