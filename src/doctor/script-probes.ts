import { randomBytes } from 'node:crypto'
import {
  clear,
  contactKeys,
  fail,
  forget,
  forgetGone,
  look,
  open,
  put,
  putAbsence,
  renew,
  sweep,
} from '../tier/contact-scripts.ts'
import { giveBack, keepTokens, pause, pauseLeft, take } from '../tier/ration-scripts.ts'
import { leave, report } from '../tier/replica-scripts.ts'
import type { Script, ServerProblem, SharedServerError } from '../tier/shared-server.ts'
import type { Valkey } from '../tier/valkey.ts'

type Call = readonly [script: Script, keys: readonly string[], args: readonly (string | number)[]]

export interface ScriptProbe {
  /** The first script, or command, that failed for another reason than a lack of memory. */
  readonly failed: { readonly name: string; readonly problem: ServerProblem } | null
  /** Whether the server has no memory left for something new. */
  readonly isFull: boolean
}

/** Runs every script on keys of its own, up to one that fails, and removes the keys. What cannot be removed expires. */
export async function probeScripts(valkey: Valkey, keyPrefix: string, waitMs: number): Promise<ScriptProbe> {
  const prefix = `{${keyPrefix}}:doctor-${randomBytes(9).toString('hex')}`
  const key = (name: string) => `${prefix}:${name}`
  const calls = callsOf(key)
  let failed: ScriptProbe['failed'] = null
  let isFull = false
  const attempt = (name: string, work: Promise<unknown>) =>
    work.catch(({ problem }: SharedServerError) => {
      if (problem === 'full') isFull = true
      else failed ??= { name, problem }
    })

  for (const [script, ...given] of calls)
    if (failed === null) await attempt(script.name, valkey.run({ ...script, waitMs }, ...given))
  await attempt('XREAD', valkey.readEvents(key('ev'), '0-0', 1))
  const used = new Set(calls.flatMap(([, keys]) => keys))
  // A sweep finds only some of the keys.
  await attempt(sweep.name, valkey.ask('UNLINK', ...used))
  return { failed, isFull }
}

/** In an order in which each has all its work to do. */
function callsOf(key: (name: string) => string): readonly Call[] {
  const contact = contactKeys(key, 'contact')
  const [events, cleared] = [key('ev'), key('cleared')]
  const [ration, pausing, members, seen] = [key('gov'), key('pause'), key('m'), key('seen')]
  const [all, some, token, namespace] = ['*', 'some', 'token', 'namespace']
  const event = ['kind', 'probed']
  const tokens = [1, 1000, 1000, 1000]
  const opened = (place: string): Call => [open, contact, [place, token, 1000, -1, -1, namespace, 0]]
  return [
    [report, [members, seen, events], ['doctor', '', '']],
    opened(all),
    [renew, contact, [all, token, 1000]],
    [put, contact, [all, token, namespace, 0, 60_000, 0, 0, 1, 'flow', 'bytes', ...event]],
    [look, contact, [60_000, namespace]],
    opened(some),
    [putAbsence, contact, [some, token, 0, 1000, 0, ...event]],
    opened('other'),
    [fail, contact, ['other', token, 'code', 1, 1000, ...event]],
    [forgetGone, contact, event],
    [forget, contact, event],
    [clear, [cleared, events], event],
    [sweep, [cleared], ['0', key('*')]],
    [take, [ration, pausing, members], [...tokens, 1, 'call']],
    [keepTokens, [ration], [...tokens, 'call', 1000]],
    [giveBack, [ration], ['call']],
    [pause, [pausing, events], [1000, ...event]],
    [pauseLeft, [pausing], []],
    [leave, [members, seen], ['doctor']],
  ]
}
