/** A script in Lua, which the server runs as one step. Its name is the label of metrics. */
export interface Script {
  readonly name: string
  readonly lua: string
  /** How long its reply may take, in milliseconds. */
  readonly waitMs: number
}

export type Argument = string | number | Buffer

/** What a script replies: texts and bytes as buffers, integers as numbers, nothing as null, tables as arrays. */
export type Reply = Buffer | number | null | readonly Reply[]

/** Runs a script. It rejects with a SharedServerError, `waitMs` of the script after the start at the latest. */
export type RunScript = (script: Script, keys: readonly string[], args: readonly Argument[]) => Promise<Reply>

/** Why the server did not do what it was asked for, in a word of our own: the messages of the library may quote secrets. */
export type ServerProblem =
  /** The tier is detached, so the server was not asked. */
  | 'detached'
  /** Too many scripts wait for their replies, so the server was not asked. */
  | 'busy'
  | 'timeout'
  | 'closed'
  | 'refused'
  /** The certificate of the server is not to be trusted, or it does not speak TLS. */
  | 'tls'
  /** The server does not accept the user or the password. */
  | 'auth'
  /** The user may not run a command. */
  | 'denied'
  /** The memory of the server is full. */
  | 'full'
  /** The server is no primary, or is still loading. */
  | 'not-primary'
  /** The server is older than what the scripts need. */
  | 'too-old'
  | 'script'
  | 'other'

/** The server did not do what it was asked for. It holds neither the message nor the arguments. */
export class SharedServerError extends Error {
  readonly problem: ServerProblem

  constructor(problem: ServerProblem) {
    super(`the shared tier: ${problem}`)
    this.problem = problem
  }
}

/** A fault of this process, in a listener for example, has no word of its own. */
export function problemOf(error: unknown): ServerProblem {
  return error instanceof SharedServerError ? error.problem : 'other'
}

/** The server of the shared tier, as all parts of this folder see it. */
export interface SharedServer {
  /** Whether the server is asked at all. While it is not, nothing waits for it. */
  readonly isAttached: () => boolean
  /** The id of the running server. It changes when the server restarts, or another one takes over. */
  readonly runId: () => string
  /** How many replicas there are, at least 1; while detached the last known number or `REPLICAS_EXPECTED`, the greater. */
  readonly replicas: () => number
  /** The full name of a key. All keys have the same hash tag, so that one script may use several of them in a cluster. */
  readonly key: (name: string) => string
  /** Rejects at once while detached. */
  readonly run: RunScript
  /**
   * Runs something on each attachment, before the tier counts as attached: only what it is given runs scripts then. A rejection
   * detaches again.
   */
  readonly onAttaching: (prepare: (run: RunScript, continuity: Continuity) => Promise<void>) => void
  /** Called when the tier has become attached. */
  readonly onAttached: (hear: () => void) => void
  /** Called when the tier has become detached. */
  readonly onDetached: (hear: () => void) => void
  /** Called for each event of another replica, in the order of the server. */
  readonly onEvent: (hear: (event: SharedEvent) => void) => void
  /**
   * Whether each replica that reported in the last minute has heard an event, within a second.
   * @param eventId the id that the server gave it
   */
  readonly isHeardByAll: (eventId: string) => Promise<boolean>
}

/** What a replica tells all replicas. */
export type SharedEvent =
  /**
   * A load of the contact has ended. `revision` names the document that it brought; `absent` if the contact does not exist, and
   * empty for what concerns only those who wait for the load.
   */
  | { readonly kind: 'landed'; readonly id: string; readonly revision: string }
  /** The contact is to be forgotten. `purge` is the word that all replicas log of it, empty if no operator wished it. */
  | { readonly kind: 'forgotten'; readonly id: string; readonly purge: string }
  /** All contacts are to be forgotten. */
  | { readonly kind: 'cleared'; readonly purge: string }
  /** Hilos wants no calls with this account for a while. */
  | { readonly kind: 'paused' }

/** What an attachment has found out about the time before it. */
export interface Continuity {
  /** The server has lost its memory since the last attachment: what it was told is to be told again. */
  readonly isMemoryLost: boolean
  /** What was to be forgotten before is not known here: the last attachment was so long ago that the server no longer has all events. */
  readonly hasMissed: boolean
}
