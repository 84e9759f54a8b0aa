import { extname } from 'node:path'
import { bufferOf } from '../common/bytes.ts'
import type { Clock } from '../common/clock.ts'
import type { Secret } from '../common/secret.ts'
import { createWorkerThread, ThreadTimeout } from '../common/worker-thread.ts'
import { Failure } from '../failures/failure.ts'
import type { Render, Representation } from '../presentation/views/view.ts'
import type { UnreadDocument } from '../upstream/document/read-document.ts'
import { UpstreamFailure } from '../upstream/failures.ts'
import type { DocumentReply, DocumentTask } from './document-thread.ts'
import { createDocumentWork, type DocumentWorkSettings } from './document-work.ts'
import type { PresentationSettings, PresentedDocument } from './present-document.ts'

export interface DocumentsOptions extends PresentationSettings {
  /** The key of the pseudonyms of ids. */
  readonly idKey: Secret
  /** A document with more bytes or elements is worked on in a thread, so that it does not hold the event loop. */
  readonly largestOnLoop: { readonly bytes: number; readonly elements: number }
  /** How long a caller waits for a rendering in the thread, in milliseconds. */
  readonly timeoutMs: number
  /** How long the thread is kept without work, in milliseconds. */
  readonly threadIdleMs: number
  readonly clock: Pick<Clock, 'schedule'>
}

export type Documents = Readonly<ReturnType<typeof createDocuments>>

/** The work on documents. It returns a promise only for a large one. */
export function createDocuments(options: DocumentsOptions) {
  const { refKey, idKey, metaKeys, maxElements, largestOnLoop, timeoutMs, threadIdleMs, clock } = options
  const settings: DocumentWorkSettings = { refKey: refKey.reveal(), idKey: idKey.reveal(), metaKeys, maxElements }
  const onLoop = createDocumentWork({ ...settings, maxElements: largestOnLoop.elements })
  const thread = createWorkerThread<DocumentTask, DocumentReply>({
    // It is `.js` in a build.
    module: new URL(`document-thread${extname(import.meta.url)}`, import.meta.url),
    data: settings,
    idleMs: threadIdleMs,
    clock,
  })

  /** @param late what it means that there is no reply in time */
  async function run<Result>(task: DocumentTask, leftMs: number, late: Failure): Promise<Result> {
    const reply = await thread.run(task, leftMs).catch((cause: Error) => {
      if (cause instanceof ThreadTimeout) throw late
      throw new Failure('upstream_too_large', { facts: { reason: 'the thread ended' }, cause })
    })
    if ('result' in reply) return reply.result as Result
    if ('error' in reply) throw reply.error
    const { code, facts, isTransient } = reply.failure
    throw isTransient ? new UpstreamFailure(code, { facts }) : new Failure(code, { facts })
  }

  async function presentInThread({ tokens, ...document }: UnreadDocument, leftMs: number): Promise<PresentedDocument> {
    const late = new UpstreamFailure('upstream_timeout', {
      facts: { reason: 'while the document was read', timeoutMs },
    })
    const task = { present: { ...document, tokens: tokens.map((token) => token.reveal()) } }
    const { content, ...presented } = await run<PresentedDocument>(task, leftMs, late)
    return { ...presented, content: { ...content, serialized: bufferOf(content.serialized) } }
  }

  async function renderInThread(...given: Parameters<Render>): Promise<Representation> {
    const late = new Failure('overloaded', { facts: { reason: 'while a large contact was rendered' } })
    const rendered = await run<Representation>({ render: given }, timeoutMs, late)
    const [{ serialized }, view, profile] = given
    // The widest view for the widest profile is the content itself, not a copy.
    const isContent = view === 'transcript' && profile === 'full'
    return { ...rendered, body: isContent ? serialized : bufferOf(rendered.body) }
  }

  /** What is too large for the event loop may be a document for the thread. */
  function presentOnLoop(document: UnreadDocument, leftMs: number) {
    try {
      return onLoop.present(document)
    } catch (failure) {
      if ((failure as Failure).code !== 'upstream_too_large') throw failure
      return presentInThread(document, leftMs)
    }
  }

  return {
    /** @param leftMs how long it may take, in milliseconds */
    present: (document: UnreadDocument, leftMs: number) =>
      (document.bytes.length > largestOnLoop.bytes ? presentInThread : presentOnLoop)(document, leftMs),
    render: (...given: Parameters<Render>) =>
      given[0].serialized.length > largestOnLoop.bytes ? renderInThread(...given) : onLoop.render(...given),
    /** Ends the thread, and the work in it. */
    close: thread.close,
  }
}
