// Runs when the package is installed. A packed one holds its binary; in a clone of the repository it is built here.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { binaryName } from './platform.mjs'

const folder = dirname(dirname(fileURLToPath(import.meta.url)))
if (!existsSync(join(folder, binaryName()))) {
  if (!existsSync(join(folder, 'Cargo.toml'))) {
    console.error(`fallgate: this package holds no ${binaryName()}; build one from a clone of the repository`)
    process.exit(1)
  }
  const built = spawnSync(process.execPath, [join(folder, 'scripts', 'build.mjs'), '--release'], { stdio: 'inherit' })
  process.exit(built.status ?? 1)
}
