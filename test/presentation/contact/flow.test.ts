import t from 'tap'
import { presentFlow } from '../../../src/presentation/contact/flow.ts'
import { documentOf } from '../builders.ts'

const version = { id: 'version-1', version_name: 'v3', is_current_version: true }
const channel = { channel_type: 'WHATSAPP', name: 'Support MX', is_sandbox: true }
const flow = { id: 'flow-1', name: 'Delivery confirmation', trigger_type: 'CSAT', channel }

const noVersion = { id: null, name: null, isCurrent: null }
const noChannel = { type: null, name: null, isSandbox: null }
const noFlow = { id: null, name: null, trigger: null, version: noVersion, channel: noChannel }
const presentedFlow = { ...noFlow, id: 'flow-1', name: 'Delivery confirmation', trigger: 'CSAT' }
const presentedVersion = { id: 'version-1', name: 'v3', isCurrent: true }
const presentedChannel = { type: 'WHATSAPP', name: 'Support MX', isSandbox: true }

t.test('the flow, as far as Hilos tells of it, is presented, and null for the rest', async (t) => {
  const table = [
    [{}, noFlow],
    [{ flow: { ...flow, channel: null } }, presentedFlow],
    [{ flow }, { ...presentedFlow, channel: presentedChannel }],
    [{ flow_version: version }, { ...noFlow, version: presentedVersion }],
    [
      { flow, flow_version: version },
      { ...presentedFlow, version: presentedVersion, channel: presentedChannel },
    ],
    [
      {
        flow: {
          id: null,
          name: null,
          trigger_type: null,
          channel: { channel_type: null, name: null, is_sandbox: null },
        },
        flow_version: { id: null, version_name: null, is_current_version: null },
      },
      noFlow,
    ],
  ] as const
  for (const [given, expected] of table) t.strictSame(presentFlow(documentOf(given)), expected)
})

t.test('the flags of a flow, when false, stay false', async (t) => {
  const presented = presentFlow(
    documentOf({
      flow: { ...flow, channel: { ...channel, is_sandbox: false } },
      flow_version: { ...version, is_current_version: false },
    }),
  )
  t.equal(presented.channel.isSandbox, false)
  t.equal(presented.version.isCurrent, false)
})
