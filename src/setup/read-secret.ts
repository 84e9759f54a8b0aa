import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

/** Where a secret comes from, and where the question for it goes. */
export interface Terminal {
  readonly input: Readable & { readonly isTTY?: boolean }
  readonly output: Writable
}

/** More than any secret has. The rest of a longer pipe is not read. */
const mostBytes = 65_536

/** Reads a secret: a line of a terminal, which is not shown, or all of a pipe or a file without the line breaks at its end. */
export async function readSecret({ input, output }: Terminal, question: string): Promise<string> {
  if (!input.isTTY) return (await readBeginning(input)).replace(/[\r\n]+$/, '')
  output.write(question)
  // It has no output, so it shows nothing of what is typed. Ctrl-C closes it.
  const lines = createInterface({ input, terminal: true, historySize: 0 })
  const [line = ''] = await Promise.race([once(lines, 'line'), once(lines, 'close')])
  lines.close()
  output.write('\n')
  return line
}

async function readBeginning(input: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of input) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > mostBytes) break
  }
  // A byte order mark is dropped.
  return new TextDecoder().decode(Buffer.concat(chunks))
}
