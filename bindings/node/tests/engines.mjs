// What the tests share: a small pack, clocks of their own, and the shipped packs.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { Engine } from 'fallgate'

/** The package's folder. */
export const folder = dirname(dirname(fileURLToPath(import.meta.url)))
/** The shipped packs. */
export const policies = join(folder, '..', '..', 'policies')

/** A request of a shipped pack. */
export function shipped(pack, name) {
  return JSON.parse(readFileSync(join(policies, pack, 'requests', `${name}.json`), 'utf8'))
}

const MS = 1_000_000n
/** A time of the test's own: milliseconds since its start, on 2026-06-01. */
export function at(ms) {
  const since = BigInt(ms) * MS
  return { now: { monotonicNs: since + MS, wallNs: 1_780_272_000_000n * MS + since } }
}

/** A pack with an attribute of each type, whose rules any lost or twisted attribute would trip. */
export const DOOR = {
  fallgate: 1,
  name: 'door',
  revision: 3,
  schema: {
    subject: {
      user: {
        level: 'int',
        weight: 'double',
        roles: ['string'],
        since: 'timestamp',
        badge: 'string',
      },
    },
    resource: { door: { floor: 'int' } },
    action: { 'door:open': { force: 'bool' } },
    context: { ip: { type: 'ip', optional: true }, note: { type: 'string', optional: true } },
  },
  signals: { sensor: { ttl: '10s' } },
  actions: {
    'door:open': { cache: { allow: '30s', deny: '5s' } },
    'door:log': {},
    'door:vault': { requires: ['sensor'] },
  },
  rules: [
    { id: 'staff-open', effect: 'allow', action: 'door:open', subject: { type: 'user', roles: 'staff' }, when: 'subject.level >= resource.floor && subject.weight < 200.0' },
    { id: 'no-force', effect: 'deny', action: 'door:open', when: 'action.force' },
    { id: 'lost-badges', effect: 'deny', action: 'door:open', when: "subject.badge == 'lost'" },
    { id: 'everyone-logs', effect: 'allow', action: 'door:log', obligations: [{ id: 'tell', type: 'notification', properties: { to: ['desk'] } }] },
    { id: 'vault', effect: 'allow', action: 'door:vault', when: 'subject.level >= 9' },
  ],
}

/** An engine with that pack. */
export function door(options) {
  return Engine.open(DOOR, { ...at(0), ...options })
}

/** A request that it allows; `change` mends a copy. */
export function asking(change = () => {}) {
  const request = {
    subject: { type: 'user', id: 'ann', properties: { level: 5, weight: 61.5, roles: ['staff'], since: '2020-01-01T00:00:00Z', badge: 'b-7' } },
    action: { name: 'door:open', properties: { force: false } },
    resource: { type: 'door', id: 'd-1', properties: { floor: 3 } },
    context: { ip: '10.0.0.1' },
  }
  change(request)
  return request
}
