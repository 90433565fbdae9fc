'use strict'
// A plain request as packed bytes: the short way into the engine, for what nearly every request is made of.
//
// What the packed form does not hold (a text beyond ASCII, a bigint, a date, a nested object …), and whatever is wrong
// with a request, takes the other way: `request.js` walks it anew and says so. Nothing is refused here, and nothing is
// left out: a request is packed whole or not at all. What is looped over is the object's own, as it is plain and no
// prototype of plain objects is polluted. src/packed.rs reads the bytes and documents them.

const { getPrototypeOf } = Object
const { isArray } = Array
const { isFinite, isInteger, isSafeInteger } = Number

/** Bytes of a packed request. A longer one goes as text. */
const SIZE = 8192
const ATTRIBUTES_MAX = 255

const [NULL, FALSE, TRUE, WHOLE, DOUBLE, TEXT, LIST, SMALL] = [0, 1, 2, 3, 4, 5, 6, 7]
/** Set in the two bytes of an attribute's name where they are its number, not its length. */
const NUMBERED = 0x80

// The bytes of a double, read through the same memory.
const number = new Float64Array(1)
const numberBytes = new Uint8Array(number.buffer)
// The packed numbers are in little endian, whatever the machine's order is.
number[0] = 1
const LITTLE_ENDIAN = numberBytes[7] === 0x3f

/** @typedef {import('./request.js').Reading} Reading */

/** Where requests are packed: one buffer for this thread, read before anything else can be packed. */
const bytes = new Uint8Array(SIZE)
/** Where the next byte goes; beyond the end where the request does not fit the packed form. */
let next = 0
/** Whether a request is being packed: a getter may ask an engine again. */
let busy = false

/**
 * Packs a request, and says how many bytes it takes; 0 where it does not fit the packed form. Reading it may throw.
 *
 * @param {any} request
 * @param {Reading} reading
 * @returns {number}
 */
function pack(request, reading) {
  if (busy) return 0
  busy = true
  next = 0
  try {
    return packRequest(request, reading) && next <= SIZE ? next : 0
  } finally {
    busy = false
  }
}

/**
 * @param {any} request
 * @param {Reading} reading
 */
function packRequest(request, reading) {
  if (!isPlain(request) || isPolluted()) return false
  let subject, action, resource, context
  for (const name in request) {
    if (name === 'subject') subject = request[name]
    else if (name === 'action') action = request[name]
    else if (name === 'resource') resource = request[name]
    else if (name === 'context') {
      context = request[name]
      if (context === undefined) return false
    }
  }
  return (
    packParty('subject', subject, reading) &&
    packAction(action, reading) &&
    packParty('resource', resource, reading) &&
    packAttributes('context', '', context, reading)
  )
}

/**
 * @param {'subject' | 'resource'} entity
 * @param {any} party
 * @param {Reading} reading
 */
function packParty(entity, party, reading) {
  if (!isPlain(party)) return false
  let type, id, properties
  for (const name in party) {
    if (name === 'type') type = party[name]
    else if (name === 'id') id = party[name]
    else if (name === 'properties') {
      properties = party[name]
      if (properties === undefined) return false
    }
  }
  return packText(type) && packText(id) && packAttributes(entity, type, properties, reading)
}

/**
 * @param {any} action
 * @param {Reading} reading
 */
function packAction(action, reading) {
  if (typeof action === 'string') {
    if (!packText(action)) return false
    bytes[next++] = 0
    return true
  }
  if (!isPlain(action)) return false
  let name, properties
  for (const key in action) {
    if (key === 'name') name = action[key]
    else if (key === 'properties') {
      properties = action[key]
      if (properties === undefined) return false
    }
  }
  return packText(name) && packAttributes('action', name, properties, reading)
}

/**
 * The attributes of an entity; undefined where it has none.
 *
 * @param {string} entity
 * @param {string} type
 * @param {any} attributes
 * @param {Reading} reading
 */
function packAttributes(entity, type, attributes, reading) {
  const counted = next++
  bytes[counted] = 0
  if (attributes === undefined) return true
  if (!isPlain(attributes)) return false
  const numbers = reading.numbers(entity, type)
  let count = 0
  for (const name in attributes) {
    if (numbers === null) {
      if (!packText(name)) return false
    } else {
      const number = numbers.get(name)
      if (number === undefined) continue
      bytes[next++] = NUMBERED | (number >> 8)
      bytes[next++] = number & 255
    }
    if (!packValue(attributes[name], true)) return false
    if ((count += 1) > ATTRIBUTES_MAX) return false
  }
  bytes[counted] = count
  return true
}

/**
 * @param {unknown} value
 * @param {boolean} lists Whether it may be a list.
 */
function packValue(value, lists) {
  switch (typeof value) {
    case 'string':
      bytes[next++] = TEXT
      return packText(value)
    case 'number':
      return packNumber(value)
    case 'boolean':
      bytes[next++] = value ? TRUE : FALSE
      return true
    case 'object':
      if (value === null) {
        bytes[next++] = NULL
        return true
      }
      return lists && isArray(value) && packList(value)
    default:
      return false
  }
}

/** @param {readonly unknown[]} list */
function packList(list) {
  const { length } = list
  if (length > SIZE) return false
  bytes[next++] = LIST
  bytes[next++] = length >> 8
  bytes[next++] = length & 255
  for (let at = 0; at < length; at++) {
    if (!packValue(list[at], false)) return false
  }
  return true
}

/** @param {number} value */
function packNumber(value) {
  const whole = isSafeInteger(value)
  if (!LITTLE_ENDIAN || !isFinite(value) || (!whole && isInteger(value))) return false
  if (value >= 0 && value < 256 && whole) {
    bytes[next++] = SMALL
    bytes[next++] = value
    return true
  }
  bytes[next++] = whole ? WHOLE : DOUBLE
  number[0] = value
  for (let at = 0; at < 8; at++) bytes[next++] = numberBytes[at]
  return true
}

/** @param {unknown} text */
function packText(text) {
  if (typeof text !== 'string') return false
  const { length } = text
  let place = next
  if (place + length + 2 > SIZE) return false
  bytes[place++] = length >> 8
  bytes[place++] = length & 255
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at)
    if (code > 127) return false
    bytes[place++] = code
  }
  next = place
  return true
}

/** Whether somebody gave all objects a property that a loop over one of them would meet. */
function isPolluted() {
  for (const _ in Object.prototype) return true
  return false
}

/**
 * Whether a value is an object of its own members alone, and of this realm.
 *
 * @param {unknown} value
 */
function isPlain(value) {
  return typeof value === 'object' && value !== null && !isArray(value) && getPrototypeOf(value) === Object.prototype
}

exports.bytes = bytes
exports.pack = pack
