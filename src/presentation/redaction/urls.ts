import type { HilosDocument } from '../../upstream/document/hilos-document.ts'
import { asksForFile, hasFile } from '../contact/answer.ts'
import { type ExecutionContact, TranscriptSchema } from '../contact/execution-contact.ts'
import { plainest } from '../spellings/fold.ts'
import { createMemo } from './memo.ts'
import { filePlaceholder } from './placeholders.ts'
import { createWalk, type Rules } from './walk.ts'

const kinds = ['text', 'value', 'words', 'name', 'phone'] as const
const walk = createWalk<ExecutionContact, (typeof kinds)[number]>(TranscriptSchema, kinds)

/**
 * Takes out of all texts of a contact what no profile may see: where files lie, and the queries and passwords of signed
 * URLs.
 * @param contact it is changed
 * @param document the document that it was presented from
 */
export function withoutUrlSecrets(contact: ExecutionContact, document: HilosDocument): ExecutionContact {
  return walk(contact, rulesFor(document))
}

function rulesFor(document: HilosDocument): Rules<(typeof kinds)[number]> {
  const isSigned = createQueryCheck()
  // Most documents have no text in which a file could be named.
  let found: ReadonlySet<string> | null = null
  const files = () => (found ??= fileUrlsIn(document))
  const withoutSecretsOnce = createMemo((text: string) => withoutSecrets(text, files(), isSigned))
  const inWords = (text: string) => (mayHaveUrl.test(text) ? withoutSecretsOnce(text) : text)
  const inText = (text: string) => (mayHaveUrl.test(text) && isFile(text, files()) ? null : inWords(text))
  return {
    text: inText,
    value: (value: unknown) => (typeof value === 'string' ? inText(value) : value),
    words: inWords,
    // A name with a secret in it is none. What would be left of it could not be told from a first name.
    name: (name: string) => (inWords(name) === name ? name : null),
    phone: inWords,
  }
}

/** A question mark at the end of a sentence begins no query. */
const mayHaveUrl = /[/%\\]|[?#]\S/

/** The locations of the files of a document, without queries. */
function fileUrlsIn({ execution_steps }: HilosDocument): ReadonlySet<string> {
  const urls = execution_steps.flatMap(({ step, messages, execution_result }) => [
    step?.body_file_url ?? '',
    ...messages.flatMap(({ content_url, location }) => [content_url ?? '', location?.map_screenshot_url ?? '']),
    ...messages.filter(hasFile).flatMap(({ body }) => urlAlone(body)),
    ...((step && asksForFile(step)) || messages.some(hasFile) ? urlAlone(execution_result) : []),
  ])
  return new Set(urls.map(locationOf).filter((location) => location !== ''))
}

/** Where a file has come, a text that is nothing but a URL, or the end of one, is where it lies. */
const urlAlone = (text: unknown) =>
  typeof text === 'string' && text.includes('/') && !/\s/.test(text.trim()) ? [text.trim()] : []

/** Host and path: the same file can have several queries, schemes and users, and the port can be there or not. */
const locationOf = (url: string): string =>
  plainest(url)
    .replace(/[?#].*$/s, '')
    .replace(/^(?:.*?:)?\/\//s, '')
    .replace(/^[^/@]*@/, '')
    .replace(/^([^/:]*?)\.?(?::(?:80|443))?(?=\/|$)/, '$1')
    // The look behind it lets it look at each row of marks once only.
    .replace(/(?<![\s.,;:!/_~-])[\s.,;:!/_~-]+$/, '')

function isFile(text: string, files: ReadonlySet<string>): boolean {
  const url = text.trim()
  if (files.size === 0 || /\s/.test(url)) return false
  const location = locationOf(url)
  return files.has(location) || foldersOf(location).some((folder) => files.has(folder))
}

/** What is below the location of a file, as a smaller copy can be, tells where the file lies. */
function foldersOf(location: string): string[] {
  const parts = location.split('/', mostFolders)
  return parts.slice(2).map((_, index) => parts.slice(0, index + 2).join('/'))
}

const mostFolders = 20

/** What may be a URL: a part of a text without white space, quotation marks and brackets, with one of `mayHaveUrl` in it. */
const urlLike = /(?<![^\s"'<>()[\]{}|])[^\s"'<>()[\]{}|/?#%\\]*[/?#%\\][^\s"'<>()[\]{}|]*/g
/** A shorter one has no room for a secret. */
const leastUrlLength = 8

/** What stands before or behind a URL in a text without being a part of it, or joins it to another one. */
const fileEnd = /[=,;&`*«»“”（）]|(?=https?:)/

type QueryCheck = (query: string) => boolean

function withoutSecrets(text: string, files: ReadonlySet<string>, isSigned: QueryCheck): string {
  return text.replace(urlLike, (part) => {
    if (part.length < leastUrlLength) return part
    if (files.size > 0 && part.split(fileEnd).some((piece) => isFile(piece, files))) return filePlaceholder
    return withoutPassword(withoutQuery(part, isSigned))
  })
}

const withoutPassword = (url: string) => (url.includes('@') ? url.replace(/(?<=:\/\/)[^/@\s]*:[^/@\s]*@/, '') : url)

/** A signed URL without its query and fragment, other URLs as they are. */
function withoutQuery(url: string, isSigned: QueryCheck): string {
  const { index } = /[?#]|%(?:25)*(?:3f|23)|\\u00(?:3f|23)/i.exec(url) ?? {}
  if (index === undefined) return url
  return isSigned(url.slice(index)) ? url.slice(0, index) : url
}

/** Browsers and servers do not accept a longer query. */
const longestQuery = 8000
/** So many queries of one document are looked through. */
const mostQueries = 10_000

/** A query that it would take too much time to look through counts as signed. */
function createQueryCheck(): QueryCheck {
  let queries = 0
  return (query) => {
    queries += 1
    return queries > mostQueries || query.length > longestQuery || hasSecret(plainest(query))
  }
}

/** Whether a query has a parameter with the name of a secret, or a value that is as long as one and no UUID. */
function hasSecret(query: string): boolean {
  return query.split(/[?&;#]/).some((parameter) => {
    const separator = parameter.indexOf('=')
    // A fragment can be a path.
    const name = parameter.slice(0, separator).replace(/^.*\//s, '')
    const value = parameter.slice(separator + 1)
    return separator > 0 && (secretName.test(name) || isLikeSecret(value))
  })
}

/** The parameters of signed URLs at AWS, Google, Azure, Alibaba, Akamai and Meta, and what others call a secret. */
const secretName =
  /^(?:x-(?:amz|goog|ms|oss)-.*|.*(?:sig|token|secret|passw|pwd|credential|api-?_?key|accesskey|auth|hmac|jwt|session|policy|expire|hash).*|key|key-pair-id|s[epvrtig]|o[eh]|hdn(?:ts|ea)|ticket|otp)$/
const isUuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/
const lengthOfSecret = 32

function isLikeSecret(value: string): boolean {
  const isOpaque =
    value.length >= lengthOfSecret && /^[\w+/=~.-]+$/.test(value) && /\d/.test(value) && /[a-z]/.test(value)
  return isOpaque && !isUuid.test(value)
}
