import t from 'tap'
import { elementsIn } from '../../src/upstream/document-size.ts'

t.test('the elements of a document, whatever it is, are its steps and their messages', async (t) => {
  const table = [
    [null, 0],
    ['text', 0],
    [[], 0],
    [{}, 0],
    [{ execution_steps: null }, 0],
    [{ execution_steps: { length: 9 } }, 0],
    [{ execution_steps: [] }, 0],
    [{ execution_steps: [null, 'x', {}, []] }, 4],
    [{ execution_steps: [{ messages: [{}, null] }, { messages: 'xyz' }, { messages: [1] }] }, 6],
    [{ messages: [{}, {}] }, 0],
  ] as const
  for (const [json, count] of table) t.equal(elementsIn(json), count, JSON.stringify(json))
})
