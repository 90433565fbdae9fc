// W1 and W2, as benches/src/roles.rs writes them: the same facts, seed and requests, so that the faces can be compared.

const SEED = 0xfa116a7en
/** Requests of each workload. A power of two, so that the timed loop walks round them with a mask. */
export const REQUESTS = 2_048

const WORD = (1n << 64n) - 1n

/** SplitMix64: the same sequence as in Rust. */
class Random {
  constructor(seed) {
    this.state = seed
  }

  next() {
    this.state = (this.state + 0x9e3779b97f4a7c15n) & WORD
    let mixed = this.state
    mixed = ((mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n) & WORD
    mixed = ((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn) & WORD
    return mixed ^ (mixed >> 31n)
  }

  below(bound) {
    return Number((this.next() * BigInt(bound)) >> 64n)
  }

  chance(percent) {
    return this.below(100) < percent
  }

  pick(items) {
    return items[this.below(items.length)]
  }

  distinct(count, bound) {
    const chosen = new Set()
    while (chosen.size < Math.min(count, bound)) chosen.add(this.below(bound))
    return [...chosen].sort((a, b) => a - b)
  }
}

export const ACTIONS = ['view', 'list', 'search', 'export', 'print', 'create', 'update', 'delete', 'share', 'approve'].map((verb) => `records:${verb}`)
/** How many of the actions read. */
export const READS = 5
export const RESOURCES = ['document', 'folder', 'invoice', 'payment', 'project', 'report', 'ticket', 'account', 'device', 'site']
export const BLOCKED = [
  ['10.66.0.0', 16],
  ['10.99.128.0', 17],
  ['172.20.0.0', 14],
  ['192.0.2.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.64', 26],
  ['203.0.113.192', 28],
]
/** The first hour of business, and the first after it. */
export const BUSINESS = [8, 18]
const ROLES = 10

/** For each role, which action it grants on which type of resource. */
export function grants() {
  const random = new Random(SEED)
  return Array.from({ length: ROLES }, (_, role) => {
    const granted = random.distinct(20, ACTIONS.length * RESOURCES.length)
    return { role: `role-${role}`, permissions: granted.map((at) => [Math.floor(at / RESOURCES.length), at % RESOURCES.length]) }
  })
}

/** An IPv4 address as a number. */
export function addressBits(address) {
  return address.split('.').reduce((bits, part) => bits * 256 + Number(part), 0)
}

function addressText(bits) {
  return [24, 16, 8, 0].map((shift) => Math.floor(bits / 2 ** shift) % 256).join('.')
}

/** The seeded requests, flat. Those of W1 and W2 are the same people doing the same things. */
export function people() {
  const random = new Random(SEED ^ 1n)
  return Array.from({ length: REQUESTS }, () => {
    const user = `user-${random.below(5_000)}`
    const roleCount = 1 + random.below(3)
    const owner = random.chance(70) ? user : `user-${random.below(5_000)}`
    const resourceType = random.pick(RESOURCES)
    let ip
    if (random.chance(15)) {
      const [network, length] = random.pick(BLOCKED)
      ip = addressText(addressBits(network) + random.below(2 ** (32 - length)))
    } else {
      ip = `10.${random.below(60)}.${random.below(256)}.${random.below(256)}`
    }
    const roles = random.distinct(roleCount, ROLES).map((role) => `role-${role}`)
    const clearance = 1 + random.below(5)
    const action = random.pick(ACTIONS)
    const resourceId = `${resourceType}-${random.below(100_000)}`
    const sensitivity = 1 + random.below(4)
    const hour = random.chance(90) ? 8 + random.below(10) : random.below(24)
    return { user, roles, clearance, action, resourceType, resourceId, owner, sensitivity, ip, hour }
  })
}

/** A request in the AuthZEN shape, with only what the workload's policy may read. */
export function authzen(kind, person) {
  const attributes = kind === 'W2'
  return {
    subject: {
      type: 'user',
      id: person.user,
      properties: attributes ? { roles: person.roles, clearance: person.clearance } : { roles: person.roles },
    },
    action: { name: person.action },
    resource: attributes
      ? { type: person.resourceType, id: person.resourceId, properties: { owner: person.owner, sensitivity: person.sensitivity } }
      : { type: person.resourceType, id: person.resourceId },
    ...(attributes ? { context: { ip: person.ip, hour: person.hour } } : {}),
  }
}

/** Fallgate's pack for the workload, with cached decisions or without. */
export function pack(kind, cached) {
  const attributes = kind === 'W2'
  const resource = attributes ? { owner: 'string', sensitivity: 'int' } : {}
  const action = (_, at) => ({ class: at < READS ? 'read' : 'write', ...(cached ? { cache: { allow: '1h', deny: '1h' } } : {}) })
  return {
    fallgate: 1,
    name: attributes ? 'w2-attributes' : 'w1-roles',
    revision: 1,
    schema: {
      subject: { user: attributes ? { roles: ['string'], clearance: 'int' } : { roles: ['string'] } },
      resource: Object.fromEntries(RESOURCES.map((name) => [name, resource])),
      context: attributes ? { ip: 'ip', hour: 'int' } : {},
    },
    actions: Object.fromEntries(ACTIONS.map((name, at) => [name, action(name, at)])),
    rules: rules(attributes),
  }
}

function rules(attributes) {
  const clearance = 'subject.clearance >= resource.sensitivity'
  const conditions = attributes
    ? [['reads', 0, READS, { when: clearance }], ['writes', READS, ACTIONS.length, { when: `${clearance} && resource.owner == subject.id` }]]
    : [['uses', 0, ACTIONS.length, {}]]
  const found = []
  for (const { role, permissions } of grants()) {
    for (const [at, resource] of RESOURCES.entries()) {
      for (const [verb, from, to, when] of conditions) {
        const actions = permissions.filter(([action, on]) => on === at && action >= from && action < to).map(([action]) => ACTIONS[action])
        if (actions.length === 0) continue
        found.push({ id: `${role}-${verb}-${resource}`, effect: 'allow', action: actions, subject: { type: 'user', roles: role }, resource: { type: resource }, ...when })
      }
    }
  }
  if (attributes) {
    const blocked = BLOCKED.map(([network, length]) => `cidr('${network}/${length}').containsIP(context.ip)`)
    found.push({ id: 'blocked-networks', effect: 'deny', when: blocked.join(' || ') })
    found.push({ id: 'outside-business-hours', effect: 'deny', when: `context.hour < ${BUSINESS[0]} || context.hour >= ${BUSINESS[1]}` })
  }
  return found
}
