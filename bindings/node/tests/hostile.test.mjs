// What JavaScript can hand over that no request should hold: a deny with its reason, and never an allow.
import assert from 'node:assert/strict'
import test from 'node:test'
import vm from 'node:vm'

import { Decision, Engine } from 'fallgate'

import { asking, at, door } from './engines.mjs'

/** Asserts that the engine allows the unchanged request, and denies the changed one with this reason and detail. */
function denies(change, reason, detail) {
  const engine = door()
  assert.equal(engine.decide(asking(), at(1)).reason, 'allowed_by_rule')
  const decision = engine.decide(asking(change), at(1))
  assert.equal(decision.allowed, false)
  assert.equal(decision.reason, reason)
  assert.match(decision.detail, detail)
}

const property = (value) => (request) => (request.subject.properties.level = value)

test('numbers that are not what they seem', () => {
  const whole = /`subject\.properties\.level` is a whole number beyond/
  for (const number of [2 ** 53, -(2 ** 53), 2 ** 63, 2 ** 63 + 2048]) denies(property(number), 'invalid_request', whole)
  for (const number of [NaN, Infinity, -Infinity]) denies(property(number), 'invalid_request', /level` is not a finite number/)
  for (const number of [5.5, 1e300, 2 ** 64, -(2 ** 70)]) denies(property(number), 'invalid_request', /`subject.level` must be/)
  for (const number of [2n ** 64n, -(2n ** 63n) - 1n]) denies(property(number), 'invalid_request', /more than 64 bits/)
  denies(property(2n ** 63n), 'invalid_request', /`subject.level` must be/)
  denies(property('5'), 'invalid_request', /`subject.level` must be/)
  denies(property(true), 'invalid_request', /`subject.level` must be/)
  denies(property(null), 'invalid_request', /`subject.level` must be/)
  denies((request) => delete request.subject.properties.level, 'invalid_request', /`subject.level` is missing/)
})

test('numbers that are what they seem', () => {
  const engine = door()
  for (const level of [3, 5n, 2 ** 53 - 1, 2n ** 63n - 1n]) {
    assert.equal(engine.decide(asking(property(level)), at(1)).reason, 'allowed_by_rule', String(level))
  }
  for (const level of [-0, 2, -5n, -(2 ** 53) + 1, -(2n ** 63n)]) {
    assert.equal(engine.decide(asking(property(level)), at(1)).reason, 'no_matching_rule', String(level))
  }
  for (const weight of [-0, 5, 5n, 0.1 + 0.2, 5e-324, -1e300, 199.99999999999997]) {
    const request = asking((request) => (request.subject.properties.weight = weight))
    assert.equal(engine.decide(request, at(1)).reason, 'allowed_by_rule', String(weight))
  }
  for (const weight of [200, 200.00000000000003, 1e300, 2 ** 64]) {
    const request = asking((request) => (request.subject.properties.weight = weight))
    assert.equal(engine.decide(request, at(1)).reason, 'no_matching_rule', String(weight))
  }
})

test('values that no request can hold', () => {
  const unheld = [
    [undefined, /level` is undefined/],
    [() => 5, /level` is a function/],
    [Symbol('5'), /level` is a symbol/],
    [new Map([['a', 1]]), /must be a plain object/],
    [new Set([5]), /must be a plain object/],
    [new Number(5), /must be a plain object/],
    [new String('5'), /must be a plain object/],
    [Promise.resolve(5), /must be a plain object/],
    [/5/, /must be a plain object/],
    [Buffer.from('5'), /must be a plain object/],
    [new Uint8Array(5), /must be a plain object/],
    [new WeakMap(), /must be a plain object/],
    [new Error('5'), /must be a plain object/],
    [new (class Level { valueOf = () => 5 })(), /must be a plain object/],
    [Object.create({ level: 5 }), /must be a plain object/],
    [new Date(NaN), /is no date/],
    ['\ud800', /holds half of a character/],
    ['\udc00', /holds half of a character/],
    [[5, , 5], /level\.1` is undefined/],
    [{ a: { b: [1, undefined] } }, /level\.a\.b\.1` is undefined/],
    [{ '\ud800': 1 }, /holds half of a character/],
  ]
  for (const [value, detail] of unheld) denies(property(value), 'invalid_request', detail)
})

test('members that are absent, undefined or of the wrong kind', () => {
  for (const member of ['subject', 'action', 'resource']) {
    denies((request) => delete request[member], 'invalid_request', new RegExp(`the request's \`${member}\` must be an object`))
    denies((request) => (request[member] = undefined), 'invalid_request', new RegExp(`\`${member}\` is undefined`))
    for (const value of [null, 5, true, [], [{}], '']) {
      const decision = door().decide(asking((request) => (request[member] = value)), at(1))
      assert.equal(decision.reason, 'invalid_request', `${member}: ${JSON.stringify(value)}`)
    }
  }
  denies((request) => (request.context = undefined), 'invalid_request', /`context` is undefined/)
  denies((request) => (request.context = null), 'invalid_request', /`context` must be an object/)
  denies((request) => (request.context = 'x'), 'invalid_request', /`context` must be an object/)
  denies((request) => (request.subject.properties = []), 'invalid_request', /`subject.properties` must be an object/)
  denies((request) => (request.subject.id = ''), 'invalid_request', /`subject.id` must be text/)
  denies((request) => (request.subject.id = 'a\0b'), 'invalid_request', /`subject.id` must be text/)
  denies((request) => (request.subject.type = 'ghost'), 'invalid_request', /`ghost` is not declared/)
  denies((request) => (request.subject.id = 'x'.repeat(1025)), 'limit_exceeded', /limit of 1024 bytes/)
  for (const request of [undefined, null, 5, 'x', true, [], () => {}, Symbol('x'), 5n, new Map(), new (class Request {})()]) {
    const decision = door().decide(request, at(1))
    assert.equal(decision.reason, 'invalid_request')
    assert.match(decision.detail, /the request must be a plain object/)
  }
})

test('getters and proxies are read once, and what they throw denies', () => {
  const boom = () => {
    throw new Error('secret')
  }
  const thrower = (name) => Object.defineProperty({}, name, { get: boom, enumerable: true })
  denies((request) => (request.subject.properties = thrower('level')), 'invalid_request', /^the request's `subject\.properties\.level` cannot be read: reading it throws$/)
  denies((request) => (request.context = { note: thrower('x') }), 'invalid_request', /`context\.note\.x` cannot be read/)
  for (const trap of ['get', 'getOwnPropertyDescriptor', 'getPrototypeOf']) {
    denies((request) => (request.subject.properties = new Proxy(request.subject.properties, { [trap]: boom })), 'invalid_request', /cannot be read/)
  }
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  denies((request) => (request.context = revoked.proxy), 'invalid_request', /`context` cannot be read/)

  let reads = 0
  const fickle = { get level() { return (reads += 1) === 1 ? 5 : 'twice' }, enumerable: true }
  const engine = door()
  const request = asking((request) => {
    const { properties } = request.subject
    delete properties.level
    request.subject.properties = Object.defineProperty(properties, 'level', { ...Object.getOwnPropertyDescriptor(fickle, 'level'), enumerable: true })
  })
  assert.equal(engine.decide(request, at(1)).reason, 'allowed_by_rule')
  assert.equal(reads, 1)

  // Through a proxy that only looks, the answer is that of its target.
  const looked = new Set()
  const watched = new Proxy(asking(), { get: (target, name) => looked.add(name) && target[name] })
  assert.equal(engine.decide(watched, at(2)).reason, 'allowed_by_rule')
  assert.deepEqual([...looked].sort(), ['action', 'context', 'resource', 'subject'])
})

test('a getter that decides, activates or closes in between', () => {
  const engine = door()
  const inner = []
  const meddling = (meddle) =>
    asking((request) => {
      Object.defineProperty(request.subject.properties, 'level', { enumerable: true, get: () => (meddle(), 5) })
    })
  assert.equal(engine.decide(meddling(() => inner.push(engine.decide(asking(property(1)), at(1)))), at(1)).reason, 'allowed_by_rule')
  assert.deepEqual(inner.map(({ reason }) => reason), ['no_matching_rule'])
  assert.equal(engine.decide(meddling(() => engine.close()), at(1)).reason, 'no_policy')
})

test('a prototype that somebody polluted adds nothing', () => {
  const engine = door()
  const poisoned = { level: 9, roles: ['staff'], badge: 'ok', properties: { level: 9 }, context: {}, allowed: true, 0: 'staff' }
  for (const [name, value] of Object.entries(poisoned)) {
    Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true, enumerable: true })
  }
  try {
    const bare = asking((request) => delete request.subject.properties.level)
    const decision = engine.decide(bare, at(1))
    assert.equal(decision.reason, 'invalid_request')
    assert.match(decision.detail, /`subject.level` is missing/)
    const without = asking((request) => delete request.subject.properties)
    assert.match(engine.decide(without, at(1)).detail, /is missing/)
    assert.equal(new Decision().allowed, false)
    assert.throws(() => engine.enforce(asking((request) => (request.action = 'door:log')), { ...at(1), obligations: {} }), /no handler/)
  } finally {
    for (const name of Object.keys(poisoned)) delete Object.prototype[name]
  }
})

test('the names of prototypes are names like others', () => {
  const engine = door()
  const request = asking()
  request.context = JSON.parse('{"ip": "10.0.0.1", "__proto__": {"note": 5}, "constructor": {"prototype": {"allowed": true}}}')
  const named = JSON.stringify(request.subject.properties).slice(1)
  request.subject.properties = JSON.parse(`{"__proto__": {"level": 99}, "constructor": 1, "toString": 2, "hasOwnProperty": 3, ${named}`)
  assert.equal(engine.decide(request, at(1)).reason, 'allowed_by_rule')
  assert.equal({}.allowed, undefined)
  // Here `level` stands only in what `__proto__` names; here, the same made it the prototype.
  delete request.subject.properties.level
  assert.match(engine.decide(request, at(1)).detail, /`subject.level` is missing/)
  request.subject.properties = Object.assign({}, request.subject.properties)
  assert.match(engine.decide(request, at(1)).detail, /`subject.properties` must be a plain object/)
  // Not enumerable, and with a symbol for a name: not there.
  const hidden = asking((request) => Object.defineProperty(request.subject.properties, 'level', { enumerable: false }))
  assert.match(engine.decide(hidden, at(1)).detail, /`subject.level` is missing/)
  const symbolic = asking((request) => (request.subject.properties[Symbol('badge')] = 'lost'))
  assert.equal(engine.decide(symbolic, at(1)).reason, 'allowed_by_rule')
})

test('objects of another realm, and without a prototype, are plain', () => {
  const engine = door()
  const foreign = vm.runInNewContext(`(${JSON.stringify(asking())})`)
  assert.equal(engine.decide(foreign, at(1)).reason, 'allowed_by_rule')
  const bare = asking((request) => (request.context = Object.assign(Object.create(null), request.context)))
  assert.equal(engine.decide(bare, at(1)).reason, 'allowed_by_rule')
})

test('dates become RFC 3339 texts, whatever their class says', () => {
  const engine = door()
  const since = (value) => asking((request) => (request.subject.properties.since = value))
  assert.equal(engine.decide(since(new Date(0)), at(1)).reason, 'allowed_by_rule')
  class Liar extends Date {
    toISOString = () => '"},"x":{'
    toJSON = () => 5
  }
  assert.equal(engine.decide(since(new Liar(0)), at(1)).reason, 'allowed_by_rule')
  assert.match(engine.decide(since(new Date(8.64e15)), at(1)).detail, /`subject.since` must be/)
})

test('texts cross byte for byte', () => {
  const engine = Engine.open(
    {
      fallgate: 1,
      name: 'texts',
      revision: 1,
      schema: { subject: { user: { said: 'string', heard: 'string' } } },
      actions: { say: {} },
      rules: [{ id: 'equal', effect: 'allow', when: 'subject.said == subject.heard' }],
    },
    at(0),
  )
  const texts = ['', '"', '\\', '\n\r\t\b\f', '\u0001\u001f\u007f', '\u0000', '\u2028\u2029', 'ä€😀', '\ufeff', '</script>', '\u{10ffff}', '{}', "'"]
  for (const said of texts) {
    for (const heard of texts) {
      const request = { subject: { type: 'user', id: 'ann', properties: { said, heard } }, action: 'say', resource: { type: 'r', id: '1' } }
      assert.equal(engine.decide(request, at(1)).allowed, said === heard, JSON.stringify([said, heard]))
    }
  }
})

test('what is too deep, too wide, too long or endless is beyond a limit', () => {
  const engine = door()
  const noted = (note) => engine.decide(asking((request) => (request.context.note = note)), at(1))
  const beyond = (decision) => assert.equal(decision.reason, 'limit_exceeded', decision.detail)

  const cyclic = {}
  cyclic.self = cyclic
  beyond(noted(cyclic))
  const wide = []
  for (let i = 0; i < 100; i++) wide.push(wide)
  beyond(noted(wide))
  let deep = 1
  for (let i = 0; i < 100_000; i++) deep = [deep]
  beyond(noted(deep))
  beyond(noted('x'.repeat(2 ** 20)))
  beyond(noted('\u0001'.repeat(2 ** 18)))
  beyond(noted(Array(20_000).fill(1)))
  beyond(noted(Array(2 ** 24).fill(0)))
  beyond(noted(Object.fromEntries(Array.from({ length: 10 ** 6 }, (_, i) => [`k${i}`, i]))))
  const endless = new Proxy([], { get: (target, name) => (name === 'length' ? 2 ** 32 - 1 : 'x') })
  beyond(noted(endless))

  // The same depth is refused, and the same is taken, whether the request comes as an object or as text.
  for (let depth = 20; depth < 40; depth++) {
    let note = 1
    for (let i = 0; i < depth; i++) note = i % 2 ? [note] : { a: note }
    const request = asking((request) => (request.context.note = note))
    assert.deepEqual(engine.decide(request, at(1)).reason, engine.decideJson(JSON.stringify(request), at(1)).reason, String(depth))
  }

  // A million attributes that the policy does not look at cost nothing and change nothing.
  const crowd = asking((request) => {
    for (let i = 0; i < 10 ** 6; i++) request.context[`k${i}`] = undefined
  })
  assert.equal(engine.decide(crowd, at(1)).reason, 'allowed_by_rule')
})

test('texts and bytes that are no request', () => {
  const engine = door()
  const texts = ['', ' ', 'null', '5', '[]', '{}', '{', '{} {}', 'NaN', '{"subject":', '\ufeff{}', '"\ud800"', '\ud800', '\0']
  for (const text of texts) {
    assert.equal(engine.decideJson(text, at(1)).reason, 'invalid_request', JSON.stringify(text))
    assert.equal(engine.decideJson(Buffer.from(text), at(1)).reason, 'invalid_request', JSON.stringify(text))
  }
  const bytes = [Buffer.alloc(0), Buffer.from([0xff, 0xfe]), Buffer.from('{"\xff":1}', 'latin1'), new Uint8Array(8)]
  for (const one of bytes) assert.equal(engine.decideJson(one, at(1)).reason, 'invalid_request')
  for (const other of [undefined, null, 5, {}, [], asking(), new ArrayBuffer(4), new Uint16Array(4), new DataView(new ArrayBuffer(4)), () => '{}']) {
    const decision = engine.decideJson(other, at(1))
    assert.equal(decision.reason, 'invalid_request')
    assert.match(decision.detail, /must be a text or bytes/)
  }
  const twice = JSON.stringify(asking()).replace('"level":5', '"level":1,"level":5')
  assert.match(engine.decideJson(twice, at(1)).detail, /`level` twice/)
  assert.equal(engine.decideJson(Buffer.alloc(2 ** 20 + 1, 32), at(1)).reason, 'limit_exceeded')
  assert.equal(engine.decideJson(' '.repeat(2 ** 20 + 1), at(1)).reason, 'limit_exceeded')
  const shared = new Uint8Array(new SharedArrayBuffer(4096))
  const text = Buffer.from(JSON.stringify(asking()))
  shared.set(text)
  assert.equal(engine.decideJson(shared.subarray(0, text.length), at(1)).reason, 'allowed_by_rule')
  const detached = Buffer.from(text)
  const whole = new Uint8Array(detached)
  structuredClone(whole.buffer, { transfer: [whole.buffer] })
  assert.equal(engine.decideJson(whole, at(1)).reason, 'invalid_request')
})

test('options that make no sense are a TypeError, before anything is decided', () => {
  const engine = door()
  const wrong = [null, 5, {}, { monotonicNs: 1n }, { monotonicNs: 1, wallNs: 1 }, { monotonicNs: -1n, wallNs: 0n }, { monotonicNs: 2n ** 64n, wallNs: 0n }, { monotonicNs: 0n, wallNs: 2n ** 63n }]
  for (const now of wrong) {
    assert.throws(() => engine.decide(asking(), { now }), TypeError)
    assert.throws(() => engine.decideJson('{}', { now }), TypeError)
    assert.throws(() => engine.observe('sensor', 'ok', { now }), TypeError)
    assert.throws(() => engine.enforce(asking(), { now }), TypeError)
  }
  for (const status of ['OK', '', 'up', undefined, 5, null]) assert.throws(() => engine.observe('sensor', status), TypeError)
  assert.throws(() => engine.observe(undefined, 'ok'), TypeError)
  for (const observedAt of [5, '5', -1n, 2n ** 64n]) assert.throws(() => engine.observe('sensor', 'ok', { observedAt }), TypeError)
  for (const options of [{ key: 'x' }, { key: new Uint8Array(15) }, { limits: { nonsense: 1 } }, { limits: { idBytesMax: -1 } }, { limits: { idBytesMax: 1.5 } }, { clockSkewMaxMs: -1 }]) {
    assert.throws(() => new Engine(options), TypeError, JSON.stringify(options))
  }
  for (const pack of [undefined, null, 5, true, () => {}]) assert.throws(() => Engine.open(pack), TypeError)
  for (const handle of [{}, null, Object.create(Engine.prototype)]) {
    assert.throws(() => Engine.prototype.decide.call(handle, asking()), TypeError)
  }
})
