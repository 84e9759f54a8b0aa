import t from 'tap'
import { assignments, execForm, expanded, readDockerfile } from '../../../tools/image/dockerfile.ts'

/** The one instruction of a text. */
function read(text: string) {
  const [instruction, ...more] = readDockerfile(text)
  if (instruction === undefined || more.length > 0) throw new Error('not one instruction')
  return instruction
}

t.test('a Dockerfile, with comments and lines that go on, is read into instructions with their flags', async (t) => {
  const text = [
    ...['# syntax=docker/dockerfile:1', '', 'FROM node AS build', 'ENV A=1 \\', '  # between', '    B=2'],
    'COPY --from=build /a b',
  ].join('\n')
  t.strictSame(readDockerfile(text), [
    { line: 3, keyword: 'FROM', flags: {}, text: 'node AS build' },
    { line: 4, keyword: 'ENV', flags: {}, text: 'A=1 B=2' },
    { line: 7, keyword: 'COPY', flags: { from: 'build' }, text: '/a b' },
  ])
})

for (const [text, complaint] of [
  ['FROM a\nVOLUME /data', 'line 2: VOLUME is not supported'],
  ['from a', 'line 1: from is not supported'],
  ['RUN <<EOF\ntrue\nEOF', 'line 1: here-documents are not supported'],
  ['# escape=`\nFROM a', 'line 1: the escape directive is not supported'],
  ['FROM a\nRUN b \\', 'line 2: the instruction is not complete'],
] as const)
  t.test(`a Dockerfile, with what is not understood (${complaint}), stops the replay`, async (t) => {
    t.throws(() => readDockerfile(text), { name: 'NotReplayable', message: complaint })
  })

t.test('a command in exec form, is its words; in any other it stops the replay', async (t) => {
  const command = read('CMD ["node", "--flag", "a b"]')
  t.strictSame(execForm(command, command.text), ['node', '--flag', 'a b'])
  for (const text of ['node a.js', '[]', '["a", 1]', '"a"', '{"a":"b"}'])
    t.throws(() => execForm(command, text), { message: 'line 1: CMD is not in exec form' }, text)
})

t.test('assignments, quoted or not, are pairs; anything else stops the replay', async (t) => {
  t.strictSame(assignments(read(`LABEL a.b-c="d e" F=\${G} H=`)), [
    ['a.b-c', 'd e'],
    ['F', `\${G}`],
    ['H', ''],
  ])
  for (const text of ['A', 'A b', "A='b'", 'A="b"c', 'A=\\"b', '=b'])
    t.throws(() => assignments(read(`ENV ${text}`)), { message: /^line 1: this form of ENV is not supported/ }, text)
})

t.test('variables, where a text names them, are filled in, and empty without a value', async (t) => {
  const values = new Map([['A', '1']])
  t.equal(expanded(`$A-\${A}-\${B}$B`, values), '1-1-')
  for (const text of [`\${A:-2}`, `\${A#x}`, '\\$A'])
    t.throws(() => expanded(text, values), { name: 'NotReplayable' }, text)
})
