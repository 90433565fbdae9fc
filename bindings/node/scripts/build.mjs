// Builds the addon of this machine's platform and puts it beside the package; `--release` for what is packed, `--floors`
// for the benches, whose addon stays in their folder, and `--workspace` together with all else that is tested, so that what
// it depends on is not built twice.
import { spawnSync } from 'node:child_process'
import { copyFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { binaryName } from './platform.mjs'

const folder = dirname(dirname(fileURLToPath(import.meta.url)))
const floors = process.argv.includes('--floors')
const release = floors || process.argv.includes('--release')

const cargo = ['build', '--locked', '--message-format', 'json-render-diagnostics']
if (process.argv.includes('--workspace')) cargo.push('--workspace', '--features', 'fallgate/schema', '--lib', '--examples')
else cargo.push('--package', 'fallgate-node')
if (release) cargo.push('--release')
if (floors) cargo.push('--features', 'floors')
const built = spawnSync('cargo', cargo, {
  cwd: folder,
  encoding: 'utf8',
  maxBuffer: 2 ** 28,
  stdio: ['ignore', 'pipe', 'inherit'],
})
if (built.error) throw new Error(`cannot run cargo (${built.error.message}): install Rust, as rustup.rs says`)
if (built.status !== 0) process.exit(built.status ?? 1)

const artifacts = built.stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
const library = artifacts
  .filter(({ reason, target }) => reason === 'compiler-artifact' && target.name === 'fallgate_node')
  .flatMap(({ filenames }) => filenames)
  .find((name) => /\.(so|dylib|dll)$/.test(name))
if (library === undefined) throw new Error('cargo built no library of the package fallgate-node')
// A running process may have the old one mapped: it is replaced, never written over.
const binary = floors ? join(folder, 'benches', 'floors.node') : join(folder, binaryName())
copyFileSync(library, `${binary}.new`)
renameSync(`${binary}.new`, binary)
copyFileSync(join(folder, '..', '..', 'LICENSE'), join(folder, 'LICENSE'))
console.log(`${binary}: built${release ? ' for release' : ''}`)
