'use strict'
// A plain request as packed bytes: the short way into the engine, for what nearly every request is made of.
//
// What the packed form does not hold (a text beyond ASCII, a bigint, a date, a nested object …), and whatever is wrong
// with a request, takes the other way: `request.js` walks it anew and says so. Nothing is refused here, and nothing is
// left out: a request is packed whole or not at all. src/packed.rs reads the bytes and documents them.

const { getPrototypeOf, keys } = Object
const isEnumerable = Object.prototype.propertyIsEnumerable
const { isArray } = Array
const { isFinite, isInteger, isSafeInteger } = Number

/** Bytes of a packed request. A longer one goes as text. */
const SIZE = 8192
const ATTRIBUTES_MAX = 255

const [NULL, FALSE, TRUE, WHOLE, DOUBLE, TEXT, LIST] = [0, 1, 2, 3, 4, 5, 6]

// The bytes of a double, read through the same memory.
const number = new Float64Array(1)
const numberBytes = new Uint8Array(number.buffer)
// The packed numbers are in little endian, whatever the machine's order is.
number[0] = 1
const LITTLE_ENDIAN = numberBytes[7] === 0x3f

/** @typedef {import('./request.js').Reading} Reading */

/** Packs requests into a buffer of its own. */
class Packer {
  constructor() {
    this.bytes = new Uint8Array(SIZE)
    /** Where the next byte goes; beyond the end where the request does not fit the packed form. */
    this.next = 0
    /** Whether a request is being packed: a getter may ask the same engine again. */
    this.busy = false
  }

  /**
   * Packs a request, and says how many bytes it takes; 0 where it does not fit the packed form. Reading it may throw.
   *
   * @param {any} request
   * @param {Reading} reading
   * @returns {number}
   */
  pack(request, reading) {
    if (this.busy) return 0
    this.busy = true
    this.next = 0
    try {
      return this.#request(request, reading) && this.next <= SIZE ? this.next : 0
    } finally {
      this.busy = false
    }
  }

  /**
   * @param {any} request
   * @param {Reading} reading
   */
  #request(request, reading) {
    if (!isPlain(request) || !has(request, 'subject') || !has(request, 'action') || !has(request, 'resource')) return false
    if (!this.#party('subject', request.subject, reading)) return false
    const { action } = request
    if (typeof action === 'string') {
      if (!this.#text(action)) return false
      this.bytes[this.next++] = 0
    } else {
      if (!isPlain(action) || !has(action, 'name')) return false
      const { name } = action
      if (!this.#text(name) || !this.#member('action', name, action, reading)) return false
    }
    if (!this.#party('resource', request.resource, reading)) return false
    if (has(request, 'context')) return this.#attributes(request.context, reading.wanted('context', ''))
    this.bytes[this.next++] = 0
    return true
  }

  /**
   * @param {'subject' | 'resource'} entity
   * @param {any} party
   * @param {Reading} reading
   */
  #party(entity, party, reading) {
    if (!isPlain(party) || !has(party, 'type') || !has(party, 'id')) return false
    const { type, id } = party
    return this.#text(type) && this.#text(id) && this.#member(entity, type, party, reading)
  }

  /**
   * The properties of an entity.
   *
   * @param {string} entity
   * @param {string} type
   * @param {any} holder
   * @param {Reading} reading
   */
  #member(entity, type, holder, reading) {
    if (has(holder, 'properties')) return this.#attributes(holder.properties, reading.wanted(entity, type))
    this.bytes[this.next++] = 0
    return true
  }

  /**
   * @param {any} attributes
   * @param {readonly string[] | null} wanted
   */
  #attributes(attributes, wanted) {
    if (!isPlain(attributes)) return false
    const names = wanted ?? keys(attributes)
    if (names.length > ATTRIBUTES_MAX) return false
    const counted = this.next++
    let count = 0
    for (let at = 0; at < names.length; at++) {
      const name = names[at]
      if (wanted !== null && !has(attributes, name)) continue
      if (!this.#text(name) || !this.#value(attributes[name], true)) return false
      count += 1
    }
    this.bytes[counted] = count
    return true
  }

  /**
   * @param {unknown} value
   * @param {boolean} lists Whether it may be a list.
   */
  #value(value, lists) {
    const { bytes } = this
    switch (typeof value) {
      case 'string':
        bytes[this.next++] = TEXT
        return this.#text(value)
      case 'number':
        return this.#number(value)
      case 'boolean':
        bytes[this.next++] = value ? TRUE : FALSE
        return true
      case 'object':
        if (value === null) {
          bytes[this.next++] = NULL
          return true
        }
        return lists && isArray(value) && this.#list(value)
      default:
        return false
    }
  }

  /** @param {readonly unknown[]} list */
  #list(list) {
    const { length } = list
    if (length > SIZE) return false
    this.bytes[this.next++] = LIST
    this.bytes[this.next++] = length >> 8
    this.bytes[this.next++] = length & 255
    for (let at = 0; at < length; at++) {
      if (!this.#value(list[at], false)) return false
    }
    return true
  }

  /** @param {number} value */
  #number(value) {
    const whole = isSafeInteger(value)
    if (!LITTLE_ENDIAN || !isFinite(value) || (!whole && isInteger(value))) return false
    const { bytes } = this
    bytes[this.next++] = whole ? WHOLE : DOUBLE
    number[0] = value
    for (let at = 0; at < 8; at++) bytes[this.next++] = numberBytes[at]
    return true
  }

  /** @param {unknown} text */
  #text(text) {
    if (typeof text !== 'string') return false
    const { length } = text
    let { next } = this
    if (next + length + 2 > SIZE) return false
    const { bytes } = this
    bytes[next++] = length >> 8
    bytes[next++] = length & 255
    for (let at = 0; at < length; at++) {
      const code = text.charCodeAt(at)
      if (code > 127) return false
      bytes[next++] = code
    }
    this.next = next
    return true
  }
}

/**
 * @param {any} object
 * @param {string} name
 */
function has(object, name) {
  return isEnumerable.call(object, name)
}

/**
 * Whether a value is an object of its own members alone, and of this realm.
 *
 * @param {unknown} value
 */
function isPlain(value) {
  return typeof value === 'object' && value !== null && !isArray(value) && getPrototypeOf(value) === Object.prototype
}

exports.Packer = Packer
