// Engines that hold a trust root: the files of bindings/signed, and the ways in which a root and a bundle can be given.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

import { Engine, FallgateError } from 'fallgate'

import { folder, policies } from './engines.mjs'

const signed = join(folder, '..', 'signed')
const pathOf = (file) => join(signed, file)
const bytesOf = (file) => readFileSync(pathOf(file))
const pack = join(policies, 'payment-gateway')
const order = { subject: { type: 'user', id: 'ann' }, action: 'order:read', resource: { type: 'order', id: '17' } }

/** 2026-06-01T00:00:00Z and some seconds; the other clock begins at zero. */
const at = (seconds) => ({ now: { monotonicNs: BigInt(seconds) * 10n ** 9n, wallNs: (1_780_272_000n + BigInt(seconds)) * 10n ** 9n } })
const rooted = (more = {}) => Engine.open(pathOf('active-7.json'), { trust: pathOf('root.json'), ...more, ...at(0) })

/** Holds that a call is refused with a code, in one line. */
function refuses(call, code) {
  assert.throws(call, (error) => error instanceof FallgateError && error.message.length > 0 && (assert.equal(error.code, code), true))
}

for (const [way, source] of Object.entries({ 'as files': pathOf, 'as bytes': bytesOf })) {
  test(`each is taken or refused as the table says, ${way}`, () => {
    const engine = new Engine({ trust: source('root.json') })
    const lines = readFileSync(pathOf('expected.txt'), 'utf8').trimEnd().split('\n').filter((line) => !line.startsWith('#'))
    assert.ok(lines.length > 30)
    for (const [second, line] of lines.entries()) {
      const [call, file, becomes, revision, reason] = line.split(/\s+/)
      const act = { activate: () => engine.activate(source(file), at(second)), rotate: () => engine.rotateTrust(source(file), at(second)) }[call]
      if (becomes === 'ok') act()
      else {
        refuses(act, becomes)
        assert.match([...engine.events()].at(-1).code, /^(bundle|trust)_refused$/, file)
      }
      assert.equal(engine.bundle().revision, Number(revision), file)
      assert.equal(engine.decide(order, at(second)).reason, reason, file)
    }
    assert.equal(engine.trustVersion(), 2n)
  })
}

test('each changed byte is refused', () => {
  const engine = new Engine({ trust: bytesOf('root.json') })
  const good = bytesOf('active-7.json')
  for (let place = 0; place < good.length; place++) {
    const changed = Buffer.from(good)
    changed[place] ^= 1
    assert.throws(() => engine.activateSigned(changed, at(0)), FallgateError)
  }
  for (let length = 0; length < good.length; length += 13) {
    assert.throws(() => engine.activateSigned(good.subarray(0, length), at(0)), FallgateError)
  }
  assert.equal(engine.bundle(), null)
  engine.activateSigned(good, at(0))
})

test('no way leads around a root', () => {
  const engine = rooted()
  const bare = JSON.parse(bytesOf('bare-8.json'))
  for (const source of [bare, pack, pathOf('bare-8.json'), bytesOf('bare-8.json')]) {
    refuses(() => engine.activate(source, at(1)), 'unsigned')
  }
  for (const source of [bare, null, undefined, 5]) assert.throws(() => engine.activateSigned(source), TypeError)
  for (const source of [bare, null, undefined, 5]) assert.throws(() => engine.rotateTrust(source), TypeError)
  assert.equal(engine.bundle().revision, 7)
})

test('a root is a file, its bytes or an object', () => {
  for (const trust of [pathOf('root.json'), bytesOf('root.json'), JSON.parse(bytesOf('root.json'))]) {
    assert.equal(new Engine({ trust }).trustVersion(), 1n)
  }
  const longer = Buffer.concat([bytesOf('root.json'), Buffer.from('\n')])
  for (const trust of [Buffer.alloc(0), Buffer.from('{}'), longer, pathOf('root-2.json'), pathOf('nothing.json'), '', {}, { version: 1 }]) {
    assert.throws(() => new Engine({ trust }), FallgateError)
  }
  // What was lost on the way is no way to leave it out.
  for (const trust of [null, 5, true, '\ud800', () => {}]) assert.throws(() => new Engine({ trust }), TypeError)
})

test('nobody said whom to trust', () => {
  refuses(() => Engine.open(pathOf('active-7.json'), at(0)), 'untrusted')
  const engine = Engine.open(pack, at(0))
  assert.equal(engine.trustVersion(), null)
  refuses(() => engine.activateSigned(bytesOf('active-7.json'), at(1)), 'untrusted')
  refuses(() => engine.rotateTrust(bytesOf('root-2.json'), at(1)), 'untrusted')
  // The one setting for development takes both, and both are told of.
  for (const source of [pathOf('active-7.json'), pack]) {
    const development = Engine.open(source, { trust: 'unsigned', ...at(0) })
    assert.ok([...development.events()].some((event) => event.code === 'bundle_unsigned'))
    assert.equal(development.metrics().metrics.fallgate_policy_unsigned, 1)
  }
  assert.equal(rooted().metrics().metrics.fallgate_policy_unsigned, 0)
})

test('a restart does not forget a newer root', () => {
  const stateKey = Buffer.alloc(32, 7)
  const first = rooted({ stateKey })
  assert.equal(first.rotateTrust(pathOf('root-2.json'), at(1)), 2n)
  first.activate(pathOf('good-8.json'), at(1))
  const state = first.exportState(at(2))
  const second = Engine.open(pathOf('good-8.json'), { trust: pathOf('root.json'), stateKey, ...at(3) })
  assert.ok(second.decide(order, at(3)).allowed)
  refuses(() => second.restoreState(state, at(4)), 'state_trust_behind')
  assert.equal(second.decide(order, at(4)).reason, 'no_policy')
  refuses(() => second.activate(pathOf('good-8.json'), at(5)), 'older_trust')
  // Also as the operation that all languages share.
  const root = bytesOf('root-2.json').toString()
  assert.equal(Number(second.operate({ rotate_trust: { root } }, at(6)).trust_version), 2)
  second.restoreState(state, at(7))
  // The pack has no posture, so everything was quarantined: an operator says that it is over.
  assert.equal(second.decide(order, at(7)).reason, 'quarantined')
  second.liftQuarantine('everything', at(8))
  assert.ok(second.decide(order, at(8)).allowed)
})

test('an envelope beyond the limit is not read', (t) => {
  const place = mkdtempSync(join(tmpdir(), 'trust-'))
  t.after(() => rmSync(place, { recursive: true }))
  const large = join(place, 'large.json')
  writeFileSync(large, `[${'1,'.repeat(10_000)}1]`)
  const engine = new Engine({ trust: pathOf('root.json'), limits: { bundleBytesMax: 1000 } })
  refuses(() => engine.activate(large, at(0)), 'limit_exceeded')
})

test('a closed engine takes nothing', () => {
  const engine = rooted()
  engine.close()
  refuses(() => engine.activateSigned(bytesOf('good-8.json'), at(1)), 'closed')
  refuses(() => engine.rotateTrust(bytesOf('root-2.json'), at(1)), 'closed')
  assert.equal(engine.trustVersion(), null)
})
