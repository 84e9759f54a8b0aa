import { settingsIn, yamlOf } from './deployment.ts'

export const kubernetes = 'deploy/kubernetes'
export const base = (file: string) => yamlOf(`${kubernetes}/base/${file}.yaml`)
export const monitoring = (file: string) => yamlOf(`${kubernetes}/components/monitoring/${file}.yaml`)
export const settings = settingsIn(`${kubernetes}/base/settings.env`)

/** Where the secrets are mounted. */
export const folder = '/run/secrets/hilos-bff'

export const deployment = base('deployment')
export const { template } = deployment.spec
export const [container] = template.spec.containers
