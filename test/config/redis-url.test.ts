import t from 'tap'
import { parseRedisUrl } from '../../src/config/redis-url.ts'
import { checkRows, difference } from '../harness/table.ts'

const plain = { sentinelName: null, username: null, password: null, database: 0, tls: false }
const at = (host: string, port: number) => ({ host, port })

/** The URL as it is parsed, with its password. */
function parsed(text: string) {
  const url = parseRedisUrl(text)
  return url && { ...url, password: url.password?.reveal() ?? null }
}

t.test('a URL names a server or sentinels, who signs in, and the database', async (t) => {
  const rows: readonly (readonly [url: string, parts: object])[] = [
    ['redis://localhost', { hosts: [at('localhost', 6379)] }],
    ['redis://cache.internal:1/', { hosts: [at('cache.internal', 1)] }],
    ['REDISS://10.0.0.1:65535/15', { hosts: [at('10.0.0.1', 65_535)], tls: true, database: 15 }],
    ['redis://[::1]', { hosts: [at('::1', 6379)] }],
    ['rediss://[fe80::1]:7000/1', { hosts: [at('fe80::1', 7000)], tls: true, database: 1 }],
    ['redis://:secret@a', { hosts: [at('a', 6379)], password: 'secret' }],
    ['redis://user:s%40c%2Fr:%C3%A9%25@a:2', { hosts: [at('a', 2)], username: 'user', password: 's@c/r:é%' }],
    ['redis://%40:%20@a', { hosts: [at('a', 6379)], username: '@', password: ' ' }],
    ['redis+sentinel://a/main', { hosts: [at('a', 26_379)], sentinelName: 'main' }],
    [
      'rediss+sentinel://u:p@a:1,[::1]:2,c/my-main.2_x/3',
      {
        hosts: [at('a', 1), at('::1', 2), at('c', 26_379)],
        ...{ sentinelName: 'my-main.2_x', username: 'u', password: 'p', database: 3, tls: true },
      },
    ],
  ]
  checkRows(t, rows, ([url, parts]) => difference(parsed(url), { ...plain, ...parts }), 'each URL')
})

t.test('every other form is none', async (t) => {
  const others = [
    ...[
      '',
      'a',
      'a:6379',
      '//a',
      'redis:a',
      'redis:/a',
      'redis://',
      'redis:///0',
      'http://a',
      'unix:///a',
      'redis+tls://a',
    ],
    ...[
      'redis://a:0',
      'redis://a:65536',
      'redis://a:',
      'redis://a:x',
      'redis://a:1:2',
      'redis://::1',
      'redis://[::1',
      'redis://[a]',
    ],
    ...[
      'redis://a b',
      'redis://a?db=1',
      'redis://a#1',
      'redis://a/x',
      'redis://a/-1',
      'redis://a/10000',
      'redis://a/1/',
      ' redis://a',
    ],
    ...[
      'redis://user@a',
      'redis://user:@a',
      'redis://u:p@w@a',
      'redis://u:p/w@a',
      'redis://u:p#w@a',
      'redis://u:p?w@a',
    ],
    ...['redis://u:%@a', 'redis://u:%zz@a', 'redis://u:%ff@a', 'redis://%ff:p@a', 'redis://u:p@'],
    ...['redis://a,b', 'redis://a,', 'redis://a/main', 'redis://a..b', 'redis://*'],
    ...[
      'redis+sentinel://a',
      'redis+sentinel://a/',
      'redis+sentinel://a/main/',
      'redis+sentinel://a/main/x',
      'redis+sentinel:///main',
    ],
    ...[
      'redis+sentinel://a,/main',
      'redis+sentinel://,a/main',
      'redis+sentinel://a,b:0/main',
      'redis+sentinel://a/ma in',
      'redis+sentinel://a/m%20',
    ],
    `redis+sentinel://a/${'x'.repeat(65)}`,
  ]
  checkRows(t, others, (url) => difference(parsed(url), null), 'each text')
})
