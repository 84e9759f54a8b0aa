import { parentPort, workerData } from 'node:worker_threads'
import { bufferOf } from '../common/bytes.ts'
import { Secret } from '../common/secret.ts'
import { Failure, type FailureFacts } from '../failures/failure.ts'
import type { FailureCode } from '../failures/failure-kinds.ts'
import type { Representation } from '../presentation/views/view.ts'
import { UpstreamFailure } from '../upstream/failures.ts'
import { createDocumentWork, type DocumentWork } from './document-work.ts'
import type { PresentedDocument } from './present-document.ts'

/** A function of {@link DocumentWork} and its arguments, as plain data. */
export type DocumentTask =
  | { readonly present: { readonly bytes: Uint8Array; readonly id: string; readonly tokens: readonly string[] } }
  | { readonly render: Parameters<DocumentWork['render']> }

/** What the function returned or threw. An error that is not a failure is passed on as it is. */
export type DocumentReply =
  | { readonly result: PresentedDocument | Representation }
  | { readonly failure: { readonly code: FailureCode; readonly facts: FailureFacts; readonly isTransient: boolean } }
  | { readonly error: unknown }

// This module is the main module of the thread that documents.ts starts.
const work = createDocumentWork(workerData)

parentPort?.on('message', (task: DocumentTask) => {
  const reply = replyTo(task)
  // Their memory is handed over and not copied.
  parentPort?.postMessage(reply, 'result' in reply ? [bytesOf(reply.result).buffer as ArrayBuffer] : [])
})

function replyTo(task: DocumentTask): DocumentReply {
  try {
    // A buffer arrives as an array of bytes.
    if ('present' in task) {
      const { bytes, id, tokens } = task.present
      const secrets = tokens.map((token) => new Secret(token))
      return { result: work.present({ bytes: bufferOf(bytes), id, tokens: secrets }) }
    }
    const [{ serialized, ...content }, view, profile] = task.render
    return { result: work.render({ ...content, serialized: bufferOf(serialized) }, view, profile) }
  } catch (error) {
    if (!(error instanceof Failure)) return { error }
    const { code, facts } = error
    return { failure: { code, facts, isTransient: error instanceof UpstreamFailure } }
  }
}

function bytesOf(result: PresentedDocument | Representation): Buffer {
  return 'content' in result ? result.content.serialized : result.body
}
