// Writes native.js and native.d.ts from the source. The addon is checked and not built: its types come from its
// macros, which tell them wherever they are expanded. `napi build` would build all that it depends on once more, for a
// target of its own.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { generateTypeDef, readNapiConfig, writeJsBinding } from '@napi-rs/cli'

const folder = dirname(dirname(fileURLToPath(import.meta.url)))

// Together with all else that is tested, whose dependencies `make lint` has checked.
const cargo = ['check', '--locked', '--quiet', '--workspace', '--features', 'fallgate/schema', '--lib', '--examples']
const typeDefDir = mkdtempSync(join(tmpdir(), 'fallgate-types-'))
try {
  // The build script looks at the second: without a change of it nothing would be expanded anew.
  const env = { ...process.env, NAPI_TYPE_DEF_TMP_FOLDER: typeDefDir, NAPI_FORCE_BUILD_FALLGATE_NODE: String(Date.now()) }
  const checked = spawnSync('cargo', cargo, { cwd: folder, env, stdio: 'inherit' })
  if (checked.error) throw new Error(`cannot run cargo (${checked.error.message}): install Rust, as rustup.rs says`)
  if (checked.status !== 0) throw new Error('the addon does not compile')
  const { binaryName, packageName, packageJson, dtsHeader } = await readNapiConfig(join(folder, 'package.json'))
  const { exports, dts } = await generateTypeDef({
    typeDefDir,
    configDtsHeader: dtsHeader,
    cwd: folder,
    declareBindingTarget: true,
  })
  if (exports.length === 0) throw new Error('the macros of the addon told no types')
  writeFileSync(join(folder, 'native.d.ts'), dts)
  await writeJsBinding({
    platform: true,
    idents: exports,
    jsBinding: 'native.js',
    binaryName,
    packageName,
    version: packageJson.version,
    outputDir: folder,
  })
} finally {
  rmSync(typeDefDir, { recursive: true, force: true })
}
// The compiler of TypeScript, which comes next, leaves what is there and is no longer made.
rmSync(join(folder, 'declarations'), { recursive: true, force: true })
