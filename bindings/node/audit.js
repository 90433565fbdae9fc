'use strict'
// A sink for audit records: what takes them over from an engine, and keeps them where they outlive the process.
//
// It confirms records to the engine only when they are on disk. What it did not confirm comes again, and what it has already
// it does not write twice: a crash between the two loses nothing and doubles nothing.

const { createHash } = require('node:crypto')
const { createReadStream } = require('node:fs')
const { mkdir, open, readdir } = require('node:fs/promises')
const { basename, join } = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')

const addon = require('./native.js')
const { FallgateError, native } = require('./lib/failures.js')

/** @typedef {import('./lib/words.js').Head} Head */
/** @typedef {import('./lib/words.js').Timed} Timed */
/** @typedef {import('./lib/operator.js').Operator} Operator */
/** @typedef {{ seq: bigint, prev: string, hash: string }} Link What links a record to the others. */

/** How many records a sink asks for at a time. */
const BATCH = 1_000
/** How many records an engine hands out at the most before it is told that they are written, and as many again. */
const REMEMBERED = 20_000n
/** The bytes of a line: far more than a record has. A longer one is no record. */
const LINE_BYTES_MAX = 16 * 1024 * 1024
const FILE_BYTES_MAX = 64 * 1024 * 1024

/**
 * A folder of files that only grow, as `fallgate serve --audit` writes it too: JSON Lines, for their owner's eyes alone. A
 * file is named after its first record (`audit-00000000000000000001.jsonl`); the chain goes on through all of them.
 */
class FileSink {
  /** @type {string} */
  #folder
  /** @type {number} */
  #fileBytesMax
  /** Held as long as the sink is open: two writers would write two chains. @type {ReturnType<typeof addon.lockFile> | null} */
  #lock
  /** @type {import('node:fs/promises').FileHandle | null} */
  #file = null
  /** The bytes of the open file that are on disk, record by record. */
  #length = 0
  /** @type {Readonly<Head>} */
  #head = Object.freeze({ count: 0n, head: '0'.repeat(64) })
  /** The hashes of the last records, by number. @type {Map<bigint, string>} */
  #hashes = new Map()
  /** One call writes at a time, whoever makes it. @type {Promise<unknown>} */
  #last = Promise.resolve()

  /**
   * Only `FileSink.open` calls it: what a folder holds has to be read first.
   *
   * @private
   * @param {string} folder
   * @param {number} fileBytesMax
   * @param {ReturnType<typeof addon.lockFile>} lock
   */
  constructor(folder, fileBytesMax, lock) {
    this.#folder = folder
    this.#fileBytesMax = fileBytesMax
    this.#lock = lock
  }

  /**
   * Opens a folder, and makes it where there is none. Its last two files are read back: what they hold must be whole and
   * linked.
   *
   * @param {string} folder
   * @param {{ fileBytesMax?: number }} [options] `fileBytesMax`: at how many bytes the next file is begun; left out, 64 MiB.
   * @returns {Promise<FileSink>}
   * @throws {FallgateError} with the code `locked` where somebody else writes the folder, `chain_broken` where a chain was
   *   tampered with or its last write was cut off: keep it, look at it with `fallgate audit verify`, and begin elsewhere.
   */
  static async open(folder, options) {
    const { fileBytesMax = FILE_BYTES_MAX } = options ?? {}
    if (!Number.isSafeInteger(fileBytesMax) || fileBytesMax < 0) throw new TypeError('`fileBytesMax` must be a whole number')
    await mkdir(folder, { recursive: true })
    const lock = native(() => addon.lockFile(join(folder, 'lock')))
    const sink = new FileSink(folder, fileBytesMax, lock)
    try {
      await sink.#readBack()
    } catch (error) {
      await sink.close()
      throw error
    }
    return sink
  }

  /**
   * Where the chain on disk has come to: the `auditHead` of the engine that goes on with it.
   *
   * @returns {Readonly<Head>}
   */
  get head() {
    return this.#head
  }

  /**
   * Writes records. Those that are there already are not written again.
   *
   * @param {readonly string[]} lines
   * @returns {Promise<Readonly<Head>>} Where the chain has come to, once they are on disk.
   * @throws {FallgateError} with the code `chain_broken` for records that do not follow. Whatever it throws, none of them is
   *   there.
   */
  append(lines) {
    return this.#alone(() => this.#append(lines))
  }

  /**
   * Takes over the records that the engine has, and confirms each batch once it is on disk.
   *
   * @param {Operator} engine
   * @param {Timed} [options]
   * @returns {Promise<number>} How many.
   */
  drain(engine, options) {
    return this.#alone(async () => {
      let number = 0
      for (;;) {
        const { lines, lastSeq } = engine.drainAudit({ ...options, max: BATCH })
        if (lines.length === 0) return number
        await this.#append(lines)
        engine.acknowledgeAudit(lastSeq, options)
        number += lines.length
        // What comes in meanwhile is for the next call: this one ends, however busy the engine is.
        if (lines.length < BATCH) return number
      }
    })
  }

  /**
   * Drains again and again until the signal aborts, and once more then. It keeps no process alive: a host that ends waits
   * for it first.
   *
   * @param {Operator} engine
   * @param {{ signal: AbortSignal, everyMs?: number, onError?: (error: unknown) => unknown }} options `onError`: is told where the
   *   disk does not take records, each time that this begins; they stay in the engine, and the next round tries again.
   * @returns {Promise<void>}
   * @throws {FallgateError} for a chain that does not fit.
   */
  async run(engine, { signal, everyMs = 50, onError }) {
    let failing = false
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { ref: false, signal }).catch(() => {})
      if (signal.aborted) break
      try {
        await this.drain(engine)
        failing = false
      } catch (error) {
        if (error instanceof FallgateError) throw error
        if (!failing) onError?.(error)
        failing = true
      }
    }
    await this.drain(engine)
  }

  /**
   * Lets go of the folder, after what is being written. Closing twice is fine; a closed sink writes no more.
   *
   * @returns {Promise<void>}
   */
  close() {
    return this.#alone(async () => {
      const [file, lock] = [this.#file, this.#lock]
      this.#file = this.#lock = null
      await file?.close()
      if (lock !== null) native(() => addon.unlockFile(lock))
    })
  }

  /** @returns {Promise<void>} */
  [Symbol.asyncDispose]() {
    return this.close()
  }

  /**
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  #alone(work) {
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    return done
  }

  async #readBack() {
    const files = (await readdir(this.#folder)).filter((name) => name.endsWith('.jsonl')).sort()
    const last = files.slice(-2)
    /** @type {Head | null} */
    let head = null
    for (const name of last) {
      let number = 0
      for await (const { text, isWhole } of linesOf(join(this.#folder, name))) {
        number += 1
        try {
          if (!isWhole) throw broken('the line has no end: a write was cut off')
          const link = linkOf(text)
          if (number === 1 && name !== nameOf(link.seq)) throw broken('the file is not named after its first record')
          head = following(head ?? { count: link.seq - 1n, head: link.prev }, link)
          this.#remember(link)
        } catch (error) {
          if (!(error instanceof FallgateError)) throw error
          throw broken(`the audit chain is broken at ${join(this.#folder, name)}:${number}: ${error.message}`)
        }
      }
      if (number === 0) throw broken(`the audit chain is broken: ${join(this.#folder, name)} is empty`)
    }
    const name = last.at(-1)
    if (head === null || name === undefined) return
    this.#head = Object.freeze(head)
    this.#file = await open(join(this.#folder, name), 'a')
    this.#length = (await this.#file.stat()).size
  }

  /** @param {Link} link */
  #remember({ seq, hash }) {
    this.#hashes.set(seq, hash)
    this.#hashes.delete(seq - REMEMBERED)
  }

  /**
   * @param {readonly string[]} lines
   * @returns {Promise<Readonly<Head>>}
   */
  async #append(lines) {
    let head = this.#head
    const links = []
    const texts = []
    for (const line of lines) {
      const text = Buffer.from(line)
      const link = linkOf(text)
      if (links.length === 0 && link.seq <= head.count) {
        if (this.#hashes.get(link.seq) !== link.hash) throw broken(`record ${link.seq} is another one than that which is there`)
        continue
      }
      head = Object.freeze(following(head, link))
      links.push(link)
      texts.push(text, END)
    }
    if (links.length === 0) return head
    await this.#write(links[0].seq, Buffer.concat(texts))
    for (const link of links) this.#remember(link)
    this.#head = head
    return head
  }

  /**
   * @param {bigint} first The number of the first record.
   * @param {Buffer} bytes
   */
  async #write(first, bytes) {
    if (this.#lock === null) throw new Error('the sink is closed')
    const file = this.#file === null || this.#length >= this.#fileBytesMax ? await this.#beginFile(first) : this.#file
    try {
      // What is left of a write that failed, where it could not be taken back then.
      await file.truncate(this.#length)
      await file.appendFile(bytes)
      await file.datasync()
    } catch (error) {
      // Half a record at the end would make a broken chain of a full disk.
      await file.truncate(this.#length)
      await file.sync()
      throw error
    }
    this.#length += bytes.length
  }

  /** @param {bigint} first */
  async #beginFile(first) {
    // A file of that name has records that this chain knows nothing of.
    const file = await open(join(this.#folder, nameOf(first)), 'ax', 0o600)
    await this.#file?.close()
    this.#file = file
    this.#length = 0
    // The name is on disk before the first record is.
    if (process.platform !== 'win32') {
      const folder = await open(this.#folder, 'r')
      await folder.sync().finally(() => folder.close())
    }
    return file
  }
}

const END = Buffer.from('\n')

/** @param {string} message */
function broken(message) {
  return new FallgateError('chain_broken', message)
}

/**
 * A file's name: the number of its first record, with so many digits that names are in the order of records.
 *
 * @param {bigint} first
 */
function nameOf(first) {
  return `audit-${String(first).padStart(20, '0')}.jsonl`
}

/**
 * The lines of a file, one at a time.
 *
 * @param {string} path
 * @returns {AsyncGenerator<{ text: Buffer, isWhole: boolean }, void, undefined>}
 */
async function* linesOf(path) {
  /** @type {Buffer[]} */
  let parts = []
  let bytes = 0
  for await (const chunk of createReadStream(path)) {
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      yield { text: Buffer.concat([...parts, chunk.subarray(start, end)]), isWhole: true }
      start = end + 1
      parts = []
      bytes = 0
    }
    parts.push(chunk.subarray(start))
    bytes += chunk.length - start
    if (bytes > LINE_BYTES_MAX) throw broken(`a line of ${basename(path)} is longer than any record`)
  }
  if (bytes > 0) yield { text: Buffer.concat(parts), isWhole: false }
}

/** A record's line is canonical JSON: behind the body, which may hold anything, nothing but these members can stand. */
const RECORD = /^(\{"at":"[^"\\]*","body":.*,"fallgate":"audit\/1"),"hash":"([0-9a-f]{64})"(,"kind":"[a-z_]+","monotonic_ms":[0-9]+,"prev":"([0-9a-f]{64})","seq":([1-9][0-9]{0,15})\})$/s

/**
 * Reads what links the record in a line, and checks its hash.
 *
 * @param {Buffer} line Without its end.
 * @returns {Link}
 */
function linkOf(line) {
  // Each byte is one character, so that what is hashed is what is there.
  const match = RECORD.exec(line.toString('latin1'))
  if (match === null) throw broken('this is no record of an audit chain')
  const [, before, hash, behind, prev, seq] = match
  const digest = createHash('sha256').update(Buffer.from(prev, 'hex')).update(before, 'latin1').update(behind, 'latin1')
  if (digest.digest('hex') !== hash) throw broken(`record ${seq} was changed: its hash is another one`)
  return { seq: BigInt(seq), prev, hash }
}

/**
 * The head behind a record that follows.
 *
 * @param {Head} head
 * @param {Link} link
 * @returns {Head}
 */
function following(head, { seq, prev, hash }) {
  if (seq !== head.count + 1n || prev !== head.head) throw broken(`record ${seq} does not follow record ${head.count}`)
  return { count: seq, head: hash }
}

exports.FileSink = FileSink
