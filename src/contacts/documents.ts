import { extname } from 'node:path'
import type { Clock } from '../common/clock.ts'
import type { Secret } from '../common/secret.ts'
import { createWorkerThread } from '../common/worker-thread.ts'
import { Failure } from '../failures/failure.ts'
import type { Render, Representation } from '../presentation/views/view.ts'
import { UpstreamFailure } from '../upstream/failures.ts'
import type { DocumentReply, DocumentTask } from './document-thread.ts'
import { bufferOf, createDocumentWork, type DocumentWorkSettings } from './document-work.ts'
import type { PresentationSettings, PresentDocument, PresentedDocument } from './present-document.ts'

export interface DocumentsOptions extends PresentationSettings {
  /** The key of the pseudonyms of ids. */
  readonly idKey: Secret
  /** The size in bytes beyond which a document is worked on in a thread, so that it does not hold the event loop. */
  readonly largestOnLoop: number
  /** How long the thread is kept without work, in milliseconds. */
  readonly idleMs: number
  readonly clock: Pick<Clock, 'schedule'>
}

/** The work on documents. It returns a promise only for a large one. */
export function createDocuments({ refKey, idKey, metaKeys, maxElements, largestOnLoop, ...options }: DocumentsOptions) {
  const settings: DocumentWorkSettings = { refKey: refKey.reveal(), idKey: idKey.reveal(), metaKeys, maxElements }
  const onLoop = createDocumentWork(settings)
  const thread = createWorkerThread<DocumentTask, DocumentReply>({
    ...options,
    // It is `.js` in a build.
    module: new URL(`document-thread${extname(import.meta.url)}`, import.meta.url),
    data: settings,
  })

  async function run(task: DocumentTask) {
    const reply = await thread.run(task).catch((cause: Error) => {
      throw new Failure('upstream_too_large', { facts: { reason: 'the thread ended' }, cause })
    })
    if ('error' in reply) throw reply.error
    if (!('failure' in reply)) return reply
    const { code, facts, isTransient } = reply.failure
    throw isTransient ? new UpstreamFailure(code, { facts }) : new Failure(code, { facts })
  }

  async function presentInThread(...given: Parameters<PresentDocument>): Promise<PresentedDocument> {
    const { presented } = (await run({ present: given })) as { presented: PresentedDocument }
    const { content } = presented
    return { ...presented, content: { ...content, serialized: bufferOf(content.serialized) } }
  }

  async function renderInThread(...given: Parameters<Render>): Promise<Representation> {
    const { rendered } = (await run({ render: given })) as { rendered: Representation }
    const [{ serialized }, view, profile] = given
    // The widest view for the widest profile is the content itself, not a copy.
    const isContent = view === 'transcript' && profile === 'full'
    return { ...rendered, body: isContent ? serialized : bufferOf(rendered.body) }
  }

  return {
    present: (...given: Parameters<PresentDocument>) =>
      given[0].length > largestOnLoop ? presentInThread(...given) : onLoop.present(...given),
    render: (...given: Parameters<Render>) =>
      given[0].serialized.length > largestOnLoop ? renderInThread(...given) : onLoop.render(...given),
    /** Ends the thread, and the work in it. */
    close: thread.close,
  }
}
