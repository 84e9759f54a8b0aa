import t from 'tap'
import { presentFlow } from '../../../src/presentation/contact/flow.ts'
import type { HilosDocument } from '../../../src/upstream/document/hilos-document.ts'
import { checkRows, difference } from '../../harness/table.ts'
import { documentOf } from '../builders.ts'

const version = { id: 'version-1', version_name: 'v3', is_current_version: true }
const channel = { channel_type: 'WHATSAPP', name: 'Support MX', is_sandbox: false }
const flow = { id: 'flow-1', name: 'Delivery confirmation', trigger_type: 'CSAT', channel }
const emptyChannel = { channel_type: null, name: null, is_sandbox: null }

const noVersion = { id: null, name: null, isCurrent: null }
const noChannel = { type: null, name: null, isSandbox: null }
const noFlow = { id: null, name: null, trigger: null, version: noVersion, channel: noChannel }
const presentedFlow = { ...noFlow, id: 'flow-1', name: 'Delivery confirmation', trigger: 'CSAT' }
const presentedVersion = { id: 'version-1', name: 'v3', isCurrent: true }
const presentedChannel = { type: 'WHATSAPP', name: 'Support MX', isSandbox: false }

t.test('a flow has what Hilos gives of it, and null in every other field', async (t) => {
  const cases: readonly (readonly [Partial<HilosDocument>, object])[] = [
    [{}, noFlow],
    [{ flow: { ...flow, channel: null } }, presentedFlow],
    [{ flow }, { ...presentedFlow, channel: presentedChannel }],
    [
      { flow: { ...flow, channel: { ...channel, is_sandbox: true } } },
      { ...presentedFlow, channel: { ...presentedChannel, isSandbox: true } },
    ],
    [{ flow_version: version }, { ...noFlow, version: presentedVersion }],
    [
      { flow, flow_version: { ...version, is_current_version: false } },
      { ...presentedFlow, version: { ...presentedVersion, isCurrent: false }, channel: presentedChannel },
    ],
    [
      {
        flow: { id: null, name: null, trigger_type: null, channel: emptyChannel },
        flow_version: { id: null, version_name: null, is_current_version: null },
      },
      noFlow,
    ],
  ]
  checkRows(t, cases, ([given, expected]) => difference(presentFlow(documentOf(given)), expected), 'every document')
})
