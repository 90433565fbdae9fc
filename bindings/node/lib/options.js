'use strict'
// How an engine is set up, checked: what is mistaken is refused by name before the core sees it. No default is here.

const { documentText } = require('./request.js')

/** @typedef {import('./words.js').Options} Options */

/** How much of a pack's, a drill's or a trust root's document is put into text; the core's own limits are below. */
const DOCUMENT = Object.freeze({ bytes: 2 ** 28, depth: 128 })

/**
 * The options as the addon reads them, and the bytes of the trust root where it was given so.
 *
 * @param {Options} options
 * @returns {{ told: string, root: Uint8Array | undefined }}
 */
function configured({ auditHead, auditKey, clockSkewMaxMs, instance, key, limits, stateKey, trust }) {
  if (instance !== undefined && !(typeof instance === 'string' && instance.isWellFormed())) {
    throw new TypeError('`instance` must be a text')
  }
  const told = JSON.stringify({
    auditHead: auditHead && headOf(auditHead), auditKey: secret('auditKey', auditKey, 32), clockSkewMaxMs, instance,
    key: secret('key', key, 16), limits, stateKey: secret('stateKey', stateKey, 32), trust: trustOf(trust),
  })
  return { told, root: trust instanceof Uint8Array ? own(trust) : undefined }
}

/**
 * @param {string} name
 * @param {unknown} bytes
 * @param {number} length
 */
function secret(name, bytes, length) {
  if (bytes === undefined) return undefined
  if (!(bytes instanceof Uint8Array && bytes.length === length)) throw new TypeError(`\`${name}\` must be ${length} bytes`)
  return [...bytes]
}

/**
 * Whom to trust, as the addon reads it; nothing for bytes, which it is given apart. `null` is no way to leave it out: a
 * configuration that lost its trust root must not become one that takes anybody's bundles.
 *
 * @param {Options['trust']} trust
 */
function trustOf(trust) {
  if (trust === undefined || trust instanceof Uint8Array) return undefined
  if (trust === 'unsigned') return trust
  if (typeof trust === 'string' && trust.isWellFormed()) return { path: trust }
  if (typeof trust === 'object' && trust !== null) return { document: JSON.parse(documentText(trust, DOCUMENT)) }
  throw new TypeError("`trust` is a trust root's file, its bytes or its document, or 'unsigned'")
}

/**
 * A head as the addon reads it: with its count as a number, which holds whatever JSON can say of a record.
 *
 * @param {import('./words.js').Head} head
 */
function headOf({ count, head }) {
  if (typeof count !== 'bigint' || count < 0n || count > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new TypeError('`auditHead.count` must be a bigint, zero or more, of at most 2 ** 53 - 1')
  }
  if (typeof head !== 'string') throw new TypeError('`auditHead.head` must be a text')
  return { count: Number(count), head }
}

/**
 * A file's path or its bytes, for a call of the addon that takes either.
 *
 * @param {unknown} source
 * @returns {[string, undefined] | [undefined, Uint8Array]}
 */
function fileOrBytes(source) {
  if (typeof source === 'string') return [source, undefined]
  if (source instanceof Uint8Array) return [undefined, own(source)]
  throw new TypeError("an envelope is a file's path or its bytes")
}

/**
 * Bytes that nobody else can change while they are read.
 *
 * @param {Uint8Array} bytes
 */
function own(bytes) {
  return bytes.buffer instanceof SharedArrayBuffer ? Uint8Array.from(bytes) : bytes
}

exports.DOCUMENT = DOCUMENT
exports.configured = configured
exports.fileOrBytes = fileOrBytes
exports.own = own
