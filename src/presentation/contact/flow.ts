import { flag, nullable } from '../../common/schema.ts'
import { type Static, Type } from '../../common/type.ts'
import type { HilosDocument } from '../../upstream/document/hilos-document.ts'
import { nullableId, nullableWords } from './fields.ts'

export const FlowSchema = Type.Object(
  {
    id: nullableId('The id of the flow at Hilos.'),
    name: nullableWords('The name that its authors gave it.'),
    trigger: nullableWords('What started the run, as Hilos calls it, for example OUTBOUND_CAMPAIGN_API.'),
    version: Type.Object(
      {
        id: nullableId('The id of the version at Hilos.'),
        name: nullableWords('The name that its authors gave it.'),
        isCurrent: nullable(flag('Whether new runs use this version.')),
      },
      { description: 'The version of the flow that this run uses.' },
    ),
    channel: Type.Object(
      {
        type: nullableWords('The kind of channel, as Hilos calls it, for example WHATSAPP.'),
        name: nullableWords('The name that its owners gave it.'),
        isSandbox: nullable(flag('Whether the channel is for tests.')),
      },
      { description: 'The channel of the conversation.' },
    ),
  },
  { $id: 'Flow', description: 'The flow of this run.' },
)

export type Flow = Static<typeof FlowSchema>

export function presentFlow({ flow, flow_version: version }: HilosDocument): Flow {
  const channel = flow?.channel ?? null
  return {
    id: flow?.id ?? null,
    name: flow?.name ?? null,
    trigger: flow?.trigger_type ?? null,
    version: {
      id: version?.id ?? null,
      name: version?.version_name ?? null,
      isCurrent: version?.is_current_version ?? null,
    },
    channel: {
      type: channel?.channel_type ?? null,
      name: channel?.name ?? null,
      isSandbox: channel?.is_sandbox ?? null,
    },
  }
}
