import t from 'tap'
import { shortName } from '../../../src/presentation/redaction/short-name.ts'
import { checkRows, difference } from '../../harness/table.ts'

t.test('a name becomes the first name and an initial', async (t) => {
  const names: readonly (readonly [short: string, ...names: readonly string[]])[] = [
    ['María G.', 'María González', '  María\n González\t', 'María\u00a0González', 'María G.', 'María «González»'],
    ['María G.', 'María \u202aGonzález\u202c', 'María González - [phone]', 'María González <[email]>'],
    ['María G.', 'María[phone] González', 'María González 5598765432', 'María González 184069530861739@lid'],
    ['María C.', 'María de la Cruz'],
    ['María', 'María', 'María (', 'María [phone]', '[phone] María', 'María [id]', 'María maria@otro.mx'],
    ['(María) G.', '(María) González'],
    ['مريم ح.', 'مريم حسن'],
    ['山田太郎', '山田太郎'],
    ['Ana 🌸.', 'Ana 🌸'],
    ['🌸', '🌸'],
    ['Ana 2.', 'Ana 2'],
    ['x'.repeat(500), 'x'.repeat(500)],
  ]
  const cases = names.flatMap(([short, ...each]) => each.map((name) => [name, short] as const))
  checkRows(t, cases, ([name, short]) => difference(shortName(name, false), short), 'every name')
})

t.test('of a last name alone, the initial is left', async (t) => {
  for (const [name, short] of [
    ['Hernández Quiroga', 'H.'],
    ['«Hernández»', 'H.'],
    ['[phone] Hernández', 'H.'],
    ['[phone]', null],
  ] as const)
    t.equal(shortName(name, true), short, name)
})

t.test('a text that identifies a person in another way is withheld', async (t) => {
  const names = [
    ...['+34 600 111 222', '55 9999 8888', '184069530861739@lid', '@ana_prueba', 'ana@otro.mx', '12345', '١٢٣٤٥'],
    ...['[phone]', '[email] [phone]', '([phone])', '[id]', '—', '', ' ', '5 5 1 2 3 4 4'],
  ]
  checkRows(t, names, (name) => difference(shortName(name, false), null), 'every name')
})
