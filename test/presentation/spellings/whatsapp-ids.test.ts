import t from 'tap'
import { type Folded, readingsOf } from '../../../src/presentation/spellings/fold.ts'
import { whatsAppIdsIn } from '../../../src/presentation/spellings/whatsapp-ids.ts'
import { isLinear } from '../../harness/growth.ts'
import { checkRows, difference } from '../../harness/table.ts'

const rangesIn = (text: string) => whatsAppIdsIn(readingsOf(text)[0] as Folded, text)
const idsIn = (text: string) => rangesIn(text).map(({ start, end }) => text.slice(start, end))

t.test('the ids of messages of WhatsApp, and of accounts without a number, are found', async (t) => {
  const ids = [
    ...['wamid.HBgNNTIxNTUxMjM0NDQzMxUCABIYFDNB', 'wamid.HBgNNTIxNTUxMjM0NDQzMxUCABEYEjFBQkNERUY=', 'WAMID.x'],
    ...['HBgNNTIxNTUxMjM0NDQzMxUCABIYFDNB', 'HBgLMTIwMjU1NTAxNDMVAgA', 'ABGGUhVRI0RDPwIKOrR3DZjY15rknw=='],
    ...['gBEGUhVRI0RDPwIKOrR3DZjY15rknw==', 'gBEGkYiEB1VXAglK1ZEqA1YKPrU', 'true_5215512344433@c.us_3EB0A9253FA64269'],
    ...['false_5215598765432-1400000000@g.us_ABC', 'true_184069530861739@lid_3EB0'],
    ...['184069530861739@lid', '184069530861739:2@lid', '184069530861739@hosted.lid'],
  ]
  const wide = 'ＨＢｇＮNTIxNTUxMjM0NDQzMxUC'
  t.strictSame(idsIn(`a ${wide} b`), [wide], 'in other characters, it counts as one')
  const texts = ['#', 'ver # x', '(#)', '"#"', 'id=#,', '#.', '¿#?']
  const cases = ids.flatMap((id) => texts.map((text) => [text.replace('#', id), id] as const))
  checkRows(t, cases, ([text, id]) => difference(idsIn(text), [id]), 'every id in every text')
})

t.test('what only looks like such an id is not found', async (t) => {
  const texts = [
    ...['wamid', 'wamid.', 'the HBg value', 'HBgN', 'ABGG', 'xHBgNNTIxNTUxMjM0NDQzMxUC', 'status@broadcast', 'ana@lid'],
    ...[
      '5512344433@correo.mx',
      '5215512344433@c.us',
      '5215512344433@s.whatsapp.net',
      '120363025246125486@g.us',
      '5512344433@lidl.mx',
      '55@c.us.mx',
      '55@c.usa',
      '@lid',
      '1@g.us-x',
      'subgenre',
      'Abgeordnetenhaus',
      'abgeschlossenheiten',
      ...['abgeschlossen-2026-11-22', 'Abgelehnt_von_Sachbearbeiter_3', 'hbgc_notification_es_mx'],
      ...['HBGS-GROUP-2026-1234567', 'GBEG-4567-8901-2345', 'ABGD123456789012', 'hbgnNTIxNTUxMjM0NDQzMxUC'],
      '',
    ],
  ]
  checkRows(t, texts, (text) => difference(idsIn(text), []), 'every text')
})

t.test('looking for ids takes time in proportion to the length of the text', async (t) => {
  const units = ['hbgn', 'wamid.', 'hbg ', '1@lid', '1', '@', '1@', 'a@c.us_', 'true_', '1.']
  const check = (unit: string) =>
    isLinear((length) => rangesIn(unit.repeat(length / unit.length)), 20_000) ? null : 'takes longer'
  checkRows(t, units, check, 'every repeated text')
})
