// The short way into the engine and the long one decide alike, and what does not fit the short one takes the long one.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import test from 'node:test'

import { Engine } from 'fallgate'

import { asking, at, DOOR, door } from './engines.mjs'

const require = createRequire(import.meta.url)
const packing = require('../lib/packing.js')
const { requestText } = require('../lib/request.js')
const addon = require('../native.js')

const EVERYTHING = { bytes: 2 ** 20, depth: 32, wanted: () => null, numbers: () => null }
const size = (request) => packing.pack(request, EVERYTHING)

test('a plain request is packed, and whatever else is not', () => {
  assert.ok(size(asking()) > 0)
  const packed = [0, -0, 5, -(2 ** 53) + 1, 0.1, 5e-324, -1e-300, '', 'x'.repeat(300), true, false, null, [], [1, 'a', null, true]]
  for (const value of packed) assert.ok(size(asking((request) => (request.context.note = value))) > 0, String(value))
  const unpacked = [undefined, NaN, Infinity, 2 ** 53, 2 ** 64, 5n, 'ä', '\ud800', 'x'.repeat(9000), {}, [[]], [{}], [undefined], Array(9000).fill(1), new Date(0), () => {}, Symbol('x'), new Map(), /x/]
  for (const value of unpacked) assert.equal(size(asking((request) => (request.context.note = value))), 0, String(value?.constructor?.name))
  const members = [(r) => delete r.subject, (r) => delete r.action, (r) => delete r.resource.id, (r) => (r.context = null), (r) => (r.subject = []), (r) => (r.subject.properties = new Map()), (r) => (r.action = 5), (r) => (r.resource.type = 5)]
  for (const change of members) assert.equal(size(asking(change)), 0, String(change))
  const crowd = (count) => asking((request) => (request.context = Object.fromEntries(Array.from({ length: count }, (_, i) => [`a${i}`, i]))))
  assert.ok(size(crowd(255)) > 0)
  assert.equal(size(crowd(256)), 0)
})

test('a length at the end of the buffer is packed or not, and never cut', () => {
  const engine = door()
  for (let length = 7_000; length < 9_000; length += 1) {
    const request = asking((asked) => (asked.context.note = 'n'.repeat(length)))
    assert.equal(engine.decide(request, at(1)).reason, 'allowed_by_rule', String(length))
  }
  const lists = (length) => asking((asked) => (asked.subject.properties.roles = [...Array(length).fill('x'), 'staff']))
  for (let length = 1_900; length < 2_300; length += 1) {
    assert.equal(engine.decide(lists(length), at(1)).reason, 'allowed_by_rule', String(length))
  }
})

test('bytes that hold no request are a deny', () => {
  const handle = addon.create('{}')
  addon.activateDocument(handle, JSON.stringify(DOOR), 1n, 1_780_272_000_000_000_000n)
  const length = packing.pack(asking(), EVERYTHING)
  // Until the packer has learnt what the bundle reads, nothing is decided on what it packs.
  assert.equal(addon.decidePacked(handle, packing.bytes, length, 1n, 1_780_272_000_000_000_000n), '')
  addon.learn(handle)
  const decide = (bytes, taken = bytes.length) => addon.decidePacked(handle, bytes, taken, 1n, 1_780_272_000_000_000_000n)
  const reason = (answer) => JSON.parse(answer.startsWith('{') ? answer : addon.label(handle, (answer.charCodeAt(26) - 48) * 64 + answer.charCodeAt(27) - 48)).context.reason
  assert.equal(reason(decide(packing.bytes, length)), 'allowed_by_rule')
  const exact = packing.bytes.slice(0, length)
  for (let cut = 0; cut < length; cut++) assert.equal(reason(decide(exact, cut)), 'invalid_request', String(cut))
  assert.equal(reason(decide(packing.bytes, length + 1)), 'invalid_request')
  assert.equal(reason(decide(exact, 2 ** 32 - 1)), 'invalid_request')
  // Whatever one byte becomes, nothing is allowed that says another thing: each answer is the one of the bytes' own text.
  for (let place = 0; place < length; place++) {
    for (const byte of [0, 1, 3, 6, 127, 128, 255]) {
      const broken = exact.slice()
      broken[place] = byte
      assert.ok(typeof reason(decide(broken)) === 'string')
    }
  }
})

test('both ways decide alike on ten thousand random requests', () => {
  let seed = 7
  const random = (below) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const pick = (values) => values[random(values.length)]
  const values = [0, 3, 5, 9, -1, 5.5, 199.5, 2e2, 'staff', '', 'lost', 'b-7', true, false, null, [], ['staff'], ['x', 'staff'], [1], '2020-01-01T00:00:00Z', '10.0.0.1', 'ä', { a: 1 }, [['staff']], 2n ** 53n, new Date(0)]
  const [object, text] = [Engine.open(DOOR, at(0)), Engine.open(DOOR, at(0))]
  const seen = new Map()
  let short = 0
  for (let i = 0; i < 10_000; i++) {
    const request = asking()
    const holders = [request.subject.properties, request.action.properties, request.resource.properties, request.context, request.subject, request.resource]
    for (let changes = random(4); changes > 0; changes--) {
      const holder = pick(holders)
      const name = pick([...Object.keys(holder), 'extra'])
      if (random(4) === 0) delete holder[name]
      else holder[name] = pick(values)
    }
    const [byObject, byText] = [object.decide(request, at(i)), text.decideJson(requestText(request, EVERYTHING), at(i))]
    assert.deepEqual(byObject, byText, requestText(request, EVERYTHING))
    seen.set(byObject.reason, (seen.get(byObject.reason) ?? 0) + 1)
    if (size(request) > 0) short += 1
  }
  assert.ok(short > 3_000 && short < 9_500, `${short} took the short way`)
  for (const reason of ['allowed_by_rule', 'denied_by_rule', 'no_matching_rule', 'invalid_request']) assert.ok(seen.get(reason) > 20, `${reason}: ${seen.get(reason)}`)
})
