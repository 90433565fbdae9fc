// casbin: a policy line for each permission of each role; attributes in the matcher, the cheapest comparison first.
import { createRequire } from 'node:module'

import { newEnforcer, newModelFromString, StringAdapter } from 'casbin'

import { ACTIONS, BLOCKED, BUSINESS, READS, RESOURCES, addressBits, grants } from './workload.mjs'

export const { version } = createRequire(import.meta.url)('casbin/package.json')

const READING = new Set(ACTIONS.slice(0, READS))
const NETWORKS = BLOCKED.map(([network, length]) => [Math.floor(addressBits(network) / 2 ** (32 - length)), 2 ** (32 - length)])

const ROLES = 'r.act == p.act && r.res.type == p.res && hasRole(r.sub, p.role)'
const ATTRIBUTES = `${ROLES} && r.sub.clearance >= r.res.sensitivity && (reads(r.act) || r.res.owner == r.sub.id) && r.ctx.hour >= ${BUSINESS[0]} && r.ctx.hour < ${BUSINESS[1]} && !blocked(r.ctx.ip)`

/** A function from a request's number to whether it is allowed. */
export async function lane(kind, people) {
  const model = newModelFromString(`
[request_definition]
r = sub, act, res, ctx
[policy_definition]
p = role, act, res
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = ${kind === 'W2' ? ATTRIBUTES : ROLES}
`)
  const lines = grants().flatMap(({ role, permissions }) => permissions.map(([action, resource]) => `p, ${role}, ${ACTIONS[action]}, ${RESOURCES[resource]}`))
  const enforcer = await newEnforcer(model, new StringAdapter(lines.join('\n')))
  await enforcer.addFunction('hasRole', (subject, role) => subject.roles.includes(role))
  await enforcer.addFunction('reads', (action) => READING.has(action))
  await enforcer.addFunction('blocked', (ip) => {
    const bits = addressBits(ip)
    return NETWORKS.some(([network, size]) => Math.floor(bits / size) === network)
  })
  const requests = people.map((person) => [
    { id: person.user, roles: person.roles, clearance: person.clearance },
    person.action,
    { type: person.resourceType, id: person.resourceId, owner: person.owner, sensitivity: person.sensitivity },
    { ip: person.ip, hour: person.hour },
  ])
  return (at) => enforcer.enforceSync(...requests[at])
}
