// cedar-wasm: a policy for each role, parsed before; request and entities as objects made before.
import { createRequire } from 'node:module'

import { ACTIONS, BLOCKED, BUSINESS, READS, RESOURCES, grants } from './workload.mjs'

const require = createRequire(import.meta.url)
const cedar = require('@cedar-policy/cedar-wasm/nodejs')

export const version = cedar.getCedarVersion()

function policies(kind) {
  const clearance = 'principal.clearance >= resource.sensitivity'
  const conditions = kind === 'W2'
    ? [[0, READS, `when { ${clearance} }`], [READS, ACTIONS.length, `when { ${clearance} && resource.owner == principal }`]]
    : [[0, ACTIONS.length, '']]
  const found = []
  for (const { role, permissions } of grants()) {
    for (const [from, to, condition] of conditions) {
      const actions = permissions.filter(([action]) => action >= from && action < to)
      const names = actions.map(([action, resource]) => `Action::"${ACTIONS[action]} ${RESOURCES[resource]}"`)
      found.push(`permit(principal in Role::"${role}", action in [${names.join(', ')}], resource) ${condition};`)
    }
  }
  if (kind === 'W2') {
    const blocked = BLOCKED.map(([network, length]) => `context.ip.isInRange(ip("${network}/${length}"))`)
    found.push(`forbid(principal, action, resource) when { ${blocked.join(' || ')} };`)
    found.push(`forbid(principal, action, resource) when { context.hour < ${BUSINESS[0]} || context.hour >= ${BUSINESS[1]} };`)
  }
  return found.join('\n')
}

/** A function from a request's number to whether it is allowed. */
export function lane(kind, people) {
  const preparsedPolicySetId = `bench-${kind}`
  const parsed = cedar.preparsePolicySet(preparsedPolicySetId, { staticPolicies: policies(kind) })
  if (parsed.type !== 'success') throw new Error(JSON.stringify(parsed))
  const calls = people.map((person) => {
    const principal = { type: 'user', id: person.user }
    const resource = { type: person.resourceType, id: person.resourceId }
    const parents = person.roles.map((id) => ({ type: 'Role', id }))
    const owner = { __entity: { type: 'user', id: person.owner } }
    const attributes = kind === 'W2'
    return {
      principal,
      action: { type: 'Action', id: `${person.action} ${person.resourceType}` },
      resource,
      context: attributes ? { ip: { __extn: { fn: 'ip', arg: person.ip } }, hour: person.hour } : {},
      preparsedPolicySetId,
      entities: [
        { uid: principal, attrs: attributes ? { clearance: person.clearance } : {}, parents },
        { uid: resource, attrs: attributes ? { sensitivity: person.sensitivity, owner } : {}, parents: [] },
      ],
    }
  })
  return (at) => cedar.statefulIsAuthorized(calls[at]).response.decision === 'allow'
}
