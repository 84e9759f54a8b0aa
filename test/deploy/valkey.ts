import { type Settings, settingsIn, textOf, yamlOf } from './deployment.ts'
import { kubernetes } from './kubernetes.ts'

export const component = `${kubernetes}/components/valkey`
export const valkeyDeployment = yamlOf(`${component}/deployment.yaml`)
export const [valkeyContainer] = valkeyDeployment.spec.template.spec.containers
export const valkeyImage: string = valkeyContainer.image

/** The settings of hilos-bff with the component. */
export const sharedSettings = settingsIn(`${component}/settings.env`)

/** The settings of the server, by name. */
export const serverSettings: Settings = Object.fromEntries(
  textOf(`${component}/valkey.conf`)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
)

/** What the log warns of with a server on another machine. */
export const unencrypted = /^REDIS_URL does not begin with rediss: /
