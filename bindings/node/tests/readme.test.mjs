// The examples, run: what those of the README say that they print, they print.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'

import { folder, policies } from './engines.mjs'

const readme = readFileSync(join(folder, 'README.md'), 'utf8')
const examples = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code)

test('there are examples', () => assert.ok(examples.length >= 6, `${examples.length} examples`))

for (const [number, code] of examples.entries()) {
  test(`example ${number + 1} of the README`, (t) => {
    const expected = [...code.matchAll(/^\/\/ (.*)$/gm)].map(([, line]) => line)
    assert.ok(expected.length > 0, 'an example says what it prints')
    // Beside the package, so that it finds the package by its name.
    const file = join(folder, 'tests', `.readme-${process.pid}-${number}.mjs`)
    writeFileSync(file, code)
    t.after(() => rmSync(file))
    const ended = spawnSync(process.execPath, [file], { cwd: join(folder, '..', '..'), encoding: 'utf8', timeout: 60_000 })
    assert.equal(ended.status, 0, ended.stderr)
    assert.deepEqual(ended.stdout.trimEnd().split('\n'), expected)
  })
}

test('the desk that gives refunds', () => {
  const ended = spawnSync(process.execPath, [join(folder, 'examples', 'refunds.mjs'), join(policies, 'payment-gateway')], { encoding: 'utf8', timeout: 60_000 })
  assert.equal(ended.status, 0, ended.stderr)
  assert.deepEqual(ended.stdout.trimEnd().split('\n'), [
    'after 1 s: allowed, allowed_by_rule',
    'after 4 s: allowed, allowed_by_rule',
    'after 20 s: denied, signal_unavailable (idp, ledger)',
  ])
})
