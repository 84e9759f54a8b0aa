import { Redis } from 'ioredis'

/** Sends one command to a server on loopback. Texts in its reply are strings. */
export function command(port: number, name: string, ...args: readonly string[]): Promise<unknown> {
  return withClient(port, (client) => client.call(name, ...args))
}

/** Runs something with a client of a server on loopback. */
export async function withClient<T>(port: number, use: (client: Redis) => Promise<T>, password?: string): Promise<T> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    retryStrategy: null,
    ...(password !== undefined && { password }),
  })
  client.on('error', () => {})
  try {
    await client.connect()
    return await use(client)
  } finally {
    client.disconnect()
  }
}
