// Shows the OpenAPI document of this service with Swagger UI, whose components it wraps:
// https://swagger.io/docs/open-source-tools/swagger-ui/customization/plugin-api/

const { dataset, src } = document.currentScript

const dark = matchMedia('(prefers-color-scheme: dark)')
const followColorScheme = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', followColorScheme)
followColorScheme()

const none = () => () => null
const problem = ['content', 'application/problem+json']

const wrapComponents = ({ React: { createElement, useEffect, useRef } }) => {
  const PasswordInput = (props) => createElement('input', { ...props, type: 'password', autoComplete: 'off' })
  return {
    HttpAuth: (Original) => (props) => {
      const getComponent = (name, ...rest) => (name === 'Input' ? PasswordInput : props.getComponent(name, ...rest))
      return createElement(Original, { ...props, getComponent })
    },
    // The command is there to be copied into a terminal or a chat, so it does not have the credential.
    curl: (Original) => (props) => {
      const request = props.request.updateIn(['headers', 'Authorization'], (value) => value && 'Bearer …')
      return createElement(Original, { ...props, request })
    },
    liveResponse: (Original) => (props) => {
      const answer = useRef(null)
      useEffect(() => void answer.current.scrollIntoView(), [props.response])
      return createElement('div', { ref: answer }, createElement(Original, props))
    },
    // One failure of each class has an example. Swagger UI would make one up for each other.
    response: (Original) => (props) => {
      const isBrief = props.response.hasIn(problem) && !props.response.hasIn([...problem, 'examples'])
      const response = isBrief ? props.response.delete('content').delete('headers') : props.response
      return createElement(Original, { ...props, response })
    },
    // A page that sends no requests needs no credential and no address.
    ...('readOnly' in dataset && { AuthorizeBtnContainer: none, ServersContainer: none, authorizeOperationBtn: none }),
  }
}

SwaggerUIBundle({
  dom_id: '#swagger-ui',
  layout: 'BaseLayout',
  plugins: [(system) => ({ wrapComponents: wrapComponents(system) })],
  tryItOutEnabled: true,
  displayRequestDuration: true,
  validatorUrl: null,
  url: new URL('../json', src).href,
  ...('readOnly' in dataset && { supportedSubmitMethods: [] }),
})
