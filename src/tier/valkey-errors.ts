import { type ServerProblem, SharedServerError } from './shared-server.ts'

/**
 * What fails rejects with a word of our own instead: errors of the library hold arguments of commands.
 * @param otherwise what an error reply means that is not known
 */
export async function inOurWords<T>(work: Promise<T>, otherwise: ServerProblem = 'other'): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw error instanceof SharedServerError ? error : new SharedServerError(wordFor(error, otherwise))
  }
}

const problems = new Map<string, ServerProblem>([
  // The first words of error replies.
  ['NOAUTH', 'auth'],
  ['WRONGPASS', 'auth'],
  ['NOPERM', 'denied'],
  ['OOM', 'full'],
  ['READONLY', 'not-primary'],
  ['LOADING', 'not-primary'],
  ['MASTERDOWN', 'not-primary'],
  ['CLUSTERDOWN', 'not-primary'],
  // A server without a password does not speak to other machines.
  ['DENIED', 'refused'],
  // Codes of Node.js.
  ['ECONNREFUSED', 'refused'],
  ['EHOSTUNREACH', 'refused'],
  ['ENETUNREACH', 'refused'],
  ['ENOTFOUND', 'refused'],
  ['EAI_AGAIN', 'refused'],
  ['ECONNRESET', 'closed'],
  ['EPIPE', 'closed'],
  ['ETIMEDOUT', 'timeout'],
])

function wordFor(error: unknown, otherwise: ServerProblem): ServerProblem {
  const { code } = error as NodeJS.ErrnoException
  if (code !== undefined) return problems.get(code) ?? (/CERT|SSL|TLS|SIGNATURE|EPROTO/.test(code) ? 'tls' : 'other')
  const word = firstWordOf(error)
  // The library has closed the connection, also because the server speaks another protocol.
  if (word === null) return 'closed'
  const { message } = error as Error
  // A script may not use a command, in the words of Redis 7.0 and of later servers.
  if (/executing the script can't run|ACL failure in script/.test(message)) return 'denied'
  if (message.startsWith('ERR AUTH')) return 'auth'
  return problems.get(word) ?? otherwise
}

/** The first word of an error reply, which says what kind of error it is. Null for errors that are no reply. */
export function firstWordOf(error: unknown): string | null {
  const { name, message } = error as Error
  return name === 'ReplyError' ? message.slice(0, message.search(/ |$/)) : null
}
