import { PassThrough, Readable } from 'node:stream'
import t from 'tap'
import { readSecret } from '../../src/setup/read-secret.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'

/** A terminal at which a text is typed; `modes` are what it was set to: raw, so that it echoes nothing, or not. */
function terminal(typed: string) {
  const modes: boolean[] = []
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (isRaw: boolean) => modes.push(isRaw) })
  input.write(typed)
  return { input, output: new PassThrough({ encoding: 'utf8' }), modes }
}

t.test('at a terminal a line is read, and nothing of it is shown', async (t) => {
  const rows = [
    ['a-secret\r', 'a-secret'],
    ['a-secret\nanother\n', 'a-secret'],
    ['typing\x15a-secreT\x7ft\r', 'a-secret'],
    ['a secret\r', 'a secret'],
    ['\r', ''],
    ['a-secret\x03', ''],
    ['\x04', ''],
  ] as const
  const check = async ([typed, secret]: (typeof rows)[number]) => {
    const { input, output, modes } = terminal(typed)
    const read = await readSecret({ input, output }, 'What? ')
    return difference([read, output.read(), modes], [secret, 'What? \n', [true, false]])
  }
  await checkRowsInTurn(t, rows, check, 'the line is read')
})

t.test('a pipe is read to its end, and there is no question', async (t) => {
  const rows = [
    [['a-sec', 'ret\r\n\n'], 'a-secret'],
    [['a\nsecret'], 'a\nsecret'],
    [[' a-secret '], ' a-secret '],
    [['\ufeffa-secret'], 'a-secret'],
    [[], ''],
  ] as const
  const check = async ([chunks, secret]: (typeof rows)[number]) => {
    const output = new PassThrough({ encoding: 'utf8' })
    const read = await readSecret({ input: Readable.from(chunks.map((chunk) => Buffer.from(chunk))), output }, 'What? ')
    return difference([read, output.read()], [secret, null])
  }
  await checkRowsInTurn(t, rows, check, 'all is read')
})
