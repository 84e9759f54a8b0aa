import { type Static, Type } from 'typebox'
import { flag, nullable, nullableText } from '../../common/schema.ts'
import type { HilosDocument } from '../../upstream/document/hilos-document.ts'

export const FlowSchema = Type.Object(
  {
    id: nullableText('The id of the flow at Hilos.'),
    name: nullableText('What its authors call it.'),
    trigger: nullableText('What started the run, in Hilos’s own word, for example OUTBOUND_CAMPAIGN_API.'),
    version: Type.Object(
      {
        id: nullableText('The id of the version at Hilos.'),
        name: nullableText('What its authors call it.'),
        isCurrent: nullable(flag('Whether new runs take this version.')),
      },
      { description: 'The version of the flow this run takes.' },
    ),
    channel: Type.Object(
      {
        type: nullableText('In Hilos’s own word, for example WHATSAPP.'),
        name: nullableText('What its owners call it.'),
        isSandbox: nullable(flag('Whether it is for trying out.')),
      },
      { description: 'Where the conversation takes place.' },
    ),
  },
  { description: 'The flow and the version of it that this run takes.' },
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
