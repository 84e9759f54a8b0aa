import t from 'tap'
import { presentExecutionContact } from '../../../src/presentation/contact/execution-contact.ts'
import { withoutUrlSecrets } from '../../../src/presentation/redaction/urls.ts'
import { isLinear } from '../../harness/growth.ts'
import { checkRows, difference } from '../../harness/table.ts'
import { definitionOf, documentOf, messageOf, stepOf } from '../builders.ts'

const file = 'https://files.hilos.example/in/ine.jpg?X-Amz-Signature=5f2d7c'
const location = {
  latitude: 1,
  longitude: 2,
  address: null,
  place_name: null,
  map_screenshot_url: 'https://maps.example/1.png',
}
const document = documentOf({
  execution_steps: [
    stepOf({
      step: definitionOf({ step_type: 'QUESTION', body_file_url: 'https://files.hilos.example/out/menu.pdf' }),
      messages: [
        messageOf({ content_url: file }),
        messageOf({ location, content_url: '' }),
        // The location ends before the query, in which another URL may stand.
        messageOf({ content_url: 'https://cdn.example/a.jpg?next=https://hilos.example/' }),
        messageOf({ content_url: '?' }),
      ],
    }),
    // Where a file has come, Hilos may have recorded its location in place of a text.
    stepOf({
      messages: [messageOf({ msg_type: 'image', body: ' https://uploads.example/1 ' })],
      execution_result: 'uploads/2.png',
    }),
    stepOf({ step: definitionOf({ answer_type: 'FILE' }), messages: [], execution_result: 'uploads/3' }),
    stepOf({ messages: [messageOf({ body: 'https://hilos.example/a' })], execution_result: 'https://hilos.example/b' }),
    stepOf({ messages: [messageOf({ msg_type: 'image', body: 'a/b y c' })], execution_result: 5 }),
  ],
})
const options = { refOf: (id: string) => id, metaKeys: [] }

const answerTo = (question: string) => ({ stepId: null, question, answerType: 'ANY', at: null, messageId: null })

/** What is left of a text that stands in the places of a text, of words and of an answer. */
function shown(text: string) {
  const contact = presentExecutionContact(document, options)
  const { reason, answers, statusRaw } = withoutUrlSecrets(
    { ...contact, reason: text, statusRaw: text, answers: [{ ...answerTo(text), value: text }] },
    document,
  )
  return { reason, value: answers[0]?.value, words: [statusRaw, answers[0]?.question] }
}

t.test('where a file is, is not told in any text', async (t) => {
  const urls = [
    ...[
      file,
      'https://files.hilos.example/in/ine.jpg',
      'http://files.hilos.example/in/ine.jpg#x',
      'files.hilos.example/in/ine.jpg',
    ],
    ...['HTTPS://FILES.hilos.example/in/ine.jpg?other=1', 'https%3A%2F%2Ffiles.hilos.example%2Fin%2Fine.jpg'],
    ...['https://files.hilos.example/out/menu.pdf', 'https://maps.example/1.png'],
    ...['https://files.hilos.example:443/in/ine.jpg', 'https://ana:secret@files.hilos.example/in/ine.jpg'],
    ...['https://files.hilos.example/in/ine.jpg?next=https://hilos.example/', 'https://cdn.example/a.jpg'],
    ...['//files.hilos.example/in/ine.jpg', 'https://files.hilos.example./in/ine.jpg', '_https://cdn.example/a.jpg_'],
    ...['https://files.hilos.example/in/ine.jpg/small', 'https://uploads.example/1', 'uploads/2.png', 'uploads/3'],
  ]
  const check = (url: string) => {
    const [alone, inside] = [shown(url), shown(`mira (${url}), es "${url}".`)]
    const text = 'mira ([file]), es "[file]".'
    return difference(
      [alone, inside],
      [
        { reason: null, value: null, words: ['[file]', '[file]'] },
        { reason: text, value: text, words: [text, text] },
      ],
    )
  }
  checkRows(t, urls, check, 'every URL of a file')
  t.strictSame(shown(` ${file}\n`).reason, null)
  const around = ['*URL*', '`URL`', '«URL»', '（URL）', 'url=URL&x=1', 'URL&sig=zz', 'https://v.example/URL']
  const place = 'https://files.hilos.example/in/ine.jpg'
  const checkAround = (text: string) => difference(shown(`a ${text.replace('URL', place)} b`).reason, 'a [file] b')
  checkRows(t, around, checkAround, 'a URL of a file with something around it')
})

t.test(
  'what is below a file is hidden, unless the file is a whole server or more than nineteen parts deep',
  async (t) => {
    const isHidden = (url: string) => {
      const document = documentOf({ execution_steps: [stepOf({ messages: [messageOf({ content_url: url })] })] })
      const contact = { ...presentExecutionContact(document, options), reason: `${url}/small.jpg` }
      return withoutUrlSecrets(contact, document).reason === null
    }
    const urlOf = (parts: number) => `https://files.example${'/x'.repeat(parts - 1)}`
    t.strictSame([1, 2, 3, 19, 20].map(urlOf).map(isHidden), [false, true, true, true, false])
  },
)

t.test('a signed URL loses its query, and another URL does not', async (t) => {
  const secrets = [
    ...[
      'X-Amz-Signature=f00d',
      'X-Goog-Credential=a',
      'sig=x',
      'sv=1&sr=b',
      'Signature=x&Expires=1',
      'token=x',
      'access_token=x',
    ],
    ...[
      'api_key=x',
      'apikey=x',
      'key=AIza',
      'password=x',
      'oh=1&oe=2',
      'hdnts=x',
      'jwt=x',
      'a=1&auth=x',
      'client_secret=x',
    ],
    ...['data=Zm9vYmFyYmF6cXV4MTIz/NDU2Nzg5MDEyMzQ1Njc4OTA=', '/key=x', '/v2/sig=x'],
    ...['x=0123456789abcdef0123456789abcdef', 'a%3D1%26token%3Dx', 'session_id=1', 'hmac=x', 'Policy=x', 'TOKEN=x'],
  ]
  const marks = ['?', '#', '%3F', '%253f', String.raw`\u003f`, '#/?']
  const cases = secrets.flatMap((secret) => marks.map((mark) => [mark, secret] as const))
  const check = ([mark, secret]: (typeof cases)[number]) =>
    difference(
      shown(`401 for url: https://api.example/v2${mark}${secret} fin`).reason,
      '401 for url: https://api.example/v2 fin',
    )
  checkRows(t, cases, check, 'every secret')
  t.equal(shown('GET /call?token=x -> 400').reason, 'GET /call -> 400')
  t.equal(shown('https://ana:secret@api.example/v2?a=1').reason, 'https://api.example/v2?a=1')
  t.equal(shown('{"url":"https://a.example/x?token=a","n":1}').reason, '{"url":"https://a.example/x","n":1}')

  const others = [
    ...[
      'https://track.example/?order=MX-20931',
      'https://a.example/x?utm_source=wa&lang=es#top',
      '¿Cuál prefieres?',
      'https://a.example',
      'https://hilos.example',
      ...['https://hilos.example/a', 'https://hilos.example/b', 'https://files.hilos.example/in/other.jpg', 'a/b/c/d'],
    ],
    ...[
      'https://a.example/?id=a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1',
      'a?b',
      '100%',
      'no #1?',
      'https://a.example/?q=dos+palabras',
    ],
    ...['5/6 a las 10', 'mail@x.mx:8080', 'https://a.example/?name=una-frase-bastante-larga-y-sin-cifras'],
  ]
  checkRows(
    t,
    others,
    (text) => difference(shown(text), { reason: text, value: text, words: [text, text] }),
    'every other text',
  )
  const values = [5, true, null]
  const answers = values.map((value) => ({ ...answerTo('¿?'), value }))
  const contact = { ...presentExecutionContact(document, options), answers }
  t.strictSame(
    withoutUrlSecrets(contact, document).answers.map(({ value }) => value),
    values,
  )
})

t.test('a name with a secret in it is null, because what is left would count as a name', async (t) => {
  const nameOf = (name: string) => {
    const contact = presentExecutionContact(document, options)
    return withoutUrlSecrets({ ...contact, contact: { ...contact.contact, name } }, document).contact.name
  }
  t.equal(nameOf('González https://a.example/?token=x'), null)
  t.equal(nameOf(`González ${file}`), null)
  t.equal(nameOf('Ana / Luis?'), 'Ana / Luis?')
})

t.test('looking for secrets takes time in proportion to the length of the text', async (t) => {
  const units = [
    '/',
    '?',
    '?a=',
    'https://',
    'https://a?token=',
    'a/ ',
    '%3f',
    '=',
    '://a:b',
    '\\u003f',
    '#',
    'sig',
    '?sig',
  ]
  const check = (unit: string) =>
    isLinear((length) => shown(unit.repeat(length / unit.length)), 10_000) ? null : 'takes longer'
  checkRows(t, units, check, 'every repeated text')
})
