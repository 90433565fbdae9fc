// The programs in JavaScript that the book shows: all blocks of a page are one module, run where the page's files are.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'node:test'

import { folder } from './engines.mjs'

const root = join(folder, '..', '..')
const book = join(root, 'docs', 'book')
const read = (page) => readFileSync(join(book, page), 'utf8')
const pages = readdirSync(book, { recursive: true }).filter((page) => page.endsWith('.md') && read(page).includes('```js\n'))

test('there are pages', () => assert.ok(pages.length > 0))

for (const [number, page] of pages.sort().entries()) {
  test(`the program of ${page}`, (t) => {
    const scratch = mkdtempSync(join(tmpdir(), 'fallgate-book-'))
    // Beside the package, so that it finds the package by its name.
    const program = join(folder, 'tests', `.book-${process.pid}-${number}.mjs`)
    t.after(() => [scratch, program].forEach((path) => rmSync(path, { recursive: true, force: true })))
    for (const name of ['docs', 'policies']) symlinkSync(join(root, name), join(scratch, name))
    let code = ''
    for (const [, info, text] of read(page).matchAll(/^```(.+?)\n(.*?)^```$/gms)) {
      const file = / file=(\S+)/.exec(info)
      if (file) {
        mkdirSync(dirname(join(scratch, file[1])), { recursive: true })
        writeFileSync(join(scratch, file[1]), text)
      } else if (info === 'js') code += `${text}\n`
    }
    writeFileSync(program, code)
    const ended = spawnSync(process.execPath, [program], { cwd: scratch, encoding: 'utf8', timeout: 60_000 })
    assert.equal(ended.status, 0, ended.stderr)
  })
}
