import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import t from 'tap'

const script = readFileSync(new URL('../../src/plugins/documentation/page.js', import.meta.url), 'utf8')

type Props = Record<string, unknown>
type Component = (props: Props) => Element
interface Element {
  readonly type: unknown
  readonly props: Props
  readonly children: readonly Element[]
}

/** As much of an `Immutable.Map` as the script uses. */
class FakeMap {
  readonly value: Props
  constructor(value: Props) {
    this.value = value
  }
  hasIn(path: readonly string[]): boolean {
    return path.reduce<unknown>((value, key) => (value as Props | undefined)?.[key], this.value) !== undefined
  }
  delete(key: string): FakeMap {
    const { [key]: _deleted, ...others } = this.value
    return new FakeMap(others)
  }
  updateIn([first = '', second = '']: readonly string[], update: (value: unknown) => unknown): FakeMap {
    const inner = this.value[first] as Props
    const updated = update(inner[second])
    return updated === inner[second] ? this : new FakeMap({ ...this.value, [first]: { ...inner, [second]: updated } })
  }
}

/** Runs the script of the page with fakes of the browser, of Swagger UI and of React. */
function open(dataset: Props = {}, isDark = false) {
  const classes = new Map<string, boolean>()
  const dark = { matches: isDark, addEventListener: (_type: string, listen: () => void) => listeners.push(listen) }
  const listeners: (() => void)[] = []
  const scrolled: string[] = []
  const effects: { readonly effect: () => unknown; readonly dependencies: readonly unknown[] }[] = []
  let options: Props = {}
  runInNewContext(script, {
    URL,
    document: {
      currentScript: { dataset, src: 'https://service.example/proxied/docs/static/page.js' },
      documentElement: { classList: { toggle: (name: string, isOn: boolean) => classes.set(name, isOn) } },
    },
    matchMedia: (query: string) => {
      t.equal(query, '(prefers-color-scheme: dark)')
      return dark
    },
    SwaggerUIBundle: (given: Props) => {
      options = given
    },
  })
  const React = {
    createElement: (type: unknown, props: Props, ...children: Element[]): Element => ({ type, props, children }),
    useRef: () => ({ current: { scrollIntoView: async () => scrolled.push('answer') } }),
    useEffect: (effect: () => unknown, dependencies: readonly unknown[]) => effects.push({ effect, dependencies }),
  }
  const [plugin] = options.plugins as [
    (system: object) => { wrapComponents: Record<string, (original: unknown) => Component> },
  ]
  const { wrapComponents } = plugin({ React })
  const wrapped = (name: string, props: Props) => {
    const component = wrapComponents[name]?.(`Swagger UI's ${name}`)
    if (component === undefined) throw new Error(`${name} is not wrapped`)
    return component(props)
  }
  return { classes, dark, listeners, scrolled, effects, options, wrapped, names: Object.keys(wrapComponents) }
}

t.test('the page is as dark as the system, also when that changes', async (t) => {
  for (const isDark of [true, false]) {
    const { classes, dark, listeners } = open({}, isDark)
    t.equal(classes.get('dark-mode'), isDark)
    dark.matches = !isDark
    for (const listen of listeners) listen()
    t.equal(classes.get('dark-mode'), !isDark)
  }
})

t.test('the page reads the document beside it, asks no other host, and keeps no credential', async (t) => {
  const { options } = open()
  t.match(options, { url: 'https://service.example/proxied/docs/json', validatorUrl: null, tryItOutEnabled: true })
  t.notOk(options.persistAuthorization, 'Swagger UI would write it to the local storage')
  t.notOk('supportedSubmitMethods' in options)
  t.same(open({ readOnly: '' }).options.supportedSubmitMethods, [], 'a read-only page sends no requests')
})

t.test('a credential is typed into a password box', async (t) => {
  const getComponent = (...names: unknown[]) => `Swagger UI's ${names.join()}`
  const { type, props } = open().wrapped('HttpAuth', { getComponent, name: 'credential' })
  t.strictSame([type, props.name], ["Swagger UI's HttpAuth", 'credential'])
  const ofPage = props.getComponent as typeof getComponent
  t.equal(ofPage('Markdown', true), "Swagger UI's Markdown,true")
  const input = (ofPage('Input') as unknown as Component)({ id: 'value', type: 'text' })
  t.match(input, { type: 'input', props: { id: 'value', type: 'password', autoComplete: 'off' } })
  t.equal(ofPage('Input'), ofPage('Input'), 'it is one component, so that it keeps what is typed')
})

t.test('the curl command has no credential', async (t) => {
  const shown = (headers: Props): unknown => {
    const { props } = open().wrapped('curl', { request: new FakeMap({ url: '/x', headers }) })
    return (props.request as FakeMap).value
  }
  const masked = { accept: '*/*', Authorization: 'Bearer …' }
  t.same(shown({ accept: '*/*', Authorization: 'Bearer hbff_secret' }), { url: '/x', headers: masked })
  t.same(shown({ accept: '*/*' }), { url: '/x', headers: { accept: '*/*' } }, 'none was sent')
})

t.test('each answer is scrolled into view', async (t) => {
  const { wrapped, effects, scrolled } = open()
  const response = {}
  const { children } = wrapped('liveResponse', { response })
  t.match(children, [{ type: "Swagger UI's liveResponse", props: { response } }])
  t.equal(effects.length, 1)
  t.equal(effects[0]?.dependencies[0], response, 'again for the next response, and not for other changes')
  t.equal(effects[0]?.effect(), undefined, 'React would call what it returns, and scrollIntoView may return a promise')
  t.strictSame(scrolled, ['answer'])
})

t.test('a failure without an example is shown by its description', async (t) => {
  const shown = (response: Props): Props =>
    (open().wrapped('response', { response: new FakeMap(response) }).props.response as FakeMap).value
  const problem = { 'application/problem+json': { schema: {} } }
  t.same(shown({ description: 'x', headers: {}, content: problem }), { description: 'x' })
  for (const content of [
    { 'application/problem+json': { schema: {}, examples: {} } },
    { 'application/json': { schema: {} } },
  ])
    t.same(shown({ headers: {}, content }), { headers: {}, content })
})

t.test('Swagger UI has the components that the page wraps', async (t) => {
  const bundle = readFileSync(new URL(import.meta.resolve('@fastify/swagger-ui/static/swagger-ui-bundle.js')), 'utf8')
  const { names } = open()
  t.strictSame(names, ['HttpAuth', 'curl', 'liveResponse', 'response'])
  for (const name of names) t.ok(new RegExp(`[{,]${name}[:,}]`).test(bundle), name)
  t.ok(bundle.includes('"Input"') && bundle.includes('"auth-bearer-value"'), 'the box of a bearer token')
})
