import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process, { env } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { dyingWithUs, installed } from './installed.ts'

/** The server that `VALKEY_SERVER` names, or else the one that is installed. If that is empty, there is none. */
export const valkeyServer: string | undefined = env.VALKEY_SERVER ?? installed('valkey-server', 'redis-server')

/** A server on loopback, which keeps nothing on disk. It ends with this process at the latest. */
export interface ValkeyServer {
  readonly port: number
  readonly pid: () => number
  /** Freezes it: it neither answers nor closes a connection. */
  readonly stop: () => void
  /** Lets it go on after `stop`. */
  readonly go: () => void
  /** Ends it at once, and resolves when it has ended. */
  readonly kill: () => Promise<void>
  /** Starts it again on the same port, without what it held. Resolves when it answers. */
  readonly restart: () => Promise<void>
  /** Ends it, and removes its folder. */
  readonly remove: () => Promise<void>
}

/**
 * Starts a server. Resolves when it answers.
 * @param command for example `valkeyServer`
 * @param port a free one
 * @param args more of its settings, for example `['--maxmemory', '2mb']`
 * @throws Error if it ends before it answers, with what it said
 */
export function startValkeyServer(command: string, port: number, args: readonly string[] = []): Promise<ValkeyServer> {
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  return startIn((folder) => [command, ...settings, '--dir', folder, ...args], port)
}

/** Starts a sentinel for one primary on loopback, which is replaced when it has not answered for half a second. */
export function startSentinel(command: string, port: number, name: string, primary: number): Promise<ValkeyServer> {
  return startIn((folder) => {
    const file = join(folder, 'sentinel.conf')
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor ${name} 127.0.0.1 ${primary} 1`,
      `sentinel down-after-milliseconds ${name} 500`,
      `sentinel failover-timeout ${name} 2000`,
    ]
    // It writes into the file what it finds out.
    writeFileSync(file, lines.join('\n'))
    return [command, file, '--sentinel']
  }, port)
}

/** @param commandLine makes the command line, given a folder of its own */
async function startIn(commandLine: (folder: string) => string[], port: number): Promise<ValkeyServer> {
  const folder = mkdtempSync(join(tmpdir(), 'valkey-'))
  const [file = '', ...args] = [...dyingWithUs('KILL'), ...commandLine(folder)]
  let child: ChildProcess
  let ended: Promise<unknown>

  async function start(): Promise<void> {
    child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    let said = ''
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      said += text
    })
    let isOver = false
    // It is rejected if the program cannot be started.
    ended = Promise.allSettled([once(child, 'close')]).then(() => {
      isOver = true
    })
    while (!(await answers(port))) {
      if (isOver) throw new Error(`The server has ended: ${said}`)
      await sleep(10)
    }
  }
  const killNow = () => child.kill('SIGKILL')
  const kill = async () => {
    killNow()
    await ended
  }
  process.once('exit', killNow)
  const remove = async () => {
    process.off('exit', killNow)
    await kill()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await start()
  } catch (error) {
    await remove()
    throw error
  }
  return {
    port,
    pid: () => child.pid as number,
    stop: () => child.kill('SIGSTOP'),
    go: () => child.kill('SIGCONT'),
    kill,
    restart: async () => {
      await kill()
      await start()
    },
    remove,
  }
}

/** Whether a server answers there, be it with a refusal, and has loaded what it keeps. One that speaks TLS only may just hang up. */
async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const answer = await new Promise((resolve) => {
    for (const event of ['data', 'close', 'error']) socket.once(event, resolve)
    socket.write('PING\r\n')
  })
  socket.destroy()
  return !/^-LOADING|ECONNREFUSED/.test(String(answer))
}
