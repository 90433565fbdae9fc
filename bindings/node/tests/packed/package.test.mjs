// What users install: the packed package in an empty folder, and the folder of a clone.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

import { DOOR, folder, policies, asking } from '../engines.mjs'

function run(command, args, cwd) {
  const ended = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 28 })
  assert.equal(ended.status, 0, `${command} ${args.join(' ')}\n${ended.stdout}\n${ended.stderr}`)
  return ended.stdout
}

/** A folder outside of the repository, with a user's empty package. */
function emptyFolder(t) {
  const place = mkdtempSync(join(tmpdir(), 'fallgate-user-'))
  t.after(() => rmSync(place, { recursive: true }))
  writeFileSync(join(place, 'package.json'), '{"name": "user", "version": "1.0.0", "private": true}')
  writeFileSync(join(place, 'door.json'), JSON.stringify(DOOR))
  writeFileSync(join(place, 'request.json'), JSON.stringify(asking()))
  const use = (load) => `${load}
    const engine = Engine.open(JSON.parse(fs.readFileSync('door.json')))
    const decision = engine.decide(JSON.parse(fs.readFileSync('request.json')))
    console.log(decision.allowed, decision.reason, typeof authorize)`
  writeFileSync(join(place, 'use.cjs'), use("const fs = require('node:fs'); const { Engine } = require('fallgate'); const { authorize } = require('fallgate/express')"))
  writeFileSync(join(place, 'use.mjs'), use("import fs from 'node:fs'; import { Engine } from 'fallgate'; import { authorize } from 'fallgate/fastify'"))
  return place
}

function works(place) {
  for (const file of ['use.cjs', 'use.mjs']) assert.equal(run(process.execPath, [file], place), 'true allowed_by_rule function\n')
  assert.match(run('npx', ['fallgate', '--version'], place), /^fallgate \d+\.\d+\.\d+/)
  cpSync(join(policies, 'idp-outage'), join(place, 'pack'), { recursive: true })
  assert.match(run('npx', ['fallgate', 'test', 'pack'], place), /passed/)
}

test('the packed package holds all that it needs, and works in an empty folder', { timeout: 1_200_000 }, (t) => {
  const place = emptyFolder(t)
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--silent', '--pack-destination', place], folder).replace(/^[^[]*/, ''))
  const names = packed.files.map(({ path }) => path)
  for (const name of ['README.md', 'LICENSE', 'package.json', 'index.js', 'index.mjs', 'audit.js', 'express.js', 'fastify.js', 'bin/fallgate.js', 'native.js', 'declarations/index.d.ts', 'declarations/index.d.mts']) {
    assert.ok(names.includes(name), `${name} is not packed: ${names}`)
  }
  const binaries = packed.files.filter(({ path }) => path.endsWith('.node'))
  assert.equal(binaries.length, 1)
  // The command is in it, with Rego, CEL and SQLite. What is packed by mistake, such as debug symbols, shows. A build that
  // was told to leave out the optimisation across crates is no release, and holds what that would have thrown away.
  const most = process.env.CARGO_PROFILE_RELEASE_LTO === 'off' ? 34_000_000 : 24_000_000
  assert.ok(binaries[0].size < most, `${binaries[0].path}: ${binaries[0].size} bytes`)
  for (const name of names) assert.doesNotMatch(name, /^(src|tests|node_modules|benches|target)\/|Cargo/, `${name} is packed`)
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${packed.filename}`], place)
  assert.ok(readdirSync(join(place, 'node_modules')).includes('fallgate'))
  works(place)
})

test('the folder of a clone is installed with its addon built', { timeout: 1_200_000 }, (t) => {
  const place = emptyFolder(t)
  for (const name of readdirSync(folder)) if (name.endsWith('.node')) rmSync(join(folder, name))
  run('npm', ['install', '--no-audit', '--no-fund', folder], place)
  works(place)
})

test('a package without its binary says so where it is installed', (t) => {
  const place = mkdtempSync(join(tmpdir(), 'fallgate-bare-'))
  t.after(() => rmSync(place, { recursive: true }))
  mkdirSync(join(place, 'scripts'))
  cpSync(join(folder, 'scripts'), join(place, 'scripts'), { recursive: true })
  const ended = spawnSync(process.execPath, [join(place, 'scripts', 'install.mjs')], { encoding: 'utf8' })
  assert.equal(ended.status, 1)
  assert.match(ended.stderr, /holds no fallgate\..*\.node/)
})
