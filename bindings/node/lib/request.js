'use strict'
// A request's objects as text, strictly: what has no single meaning is refused, never guessed and never left out.
//
// Every property is read once. Only own enumerable ones with a text for a name count, so that a polluted prototype adds
// nothing. The limits are the core's: what is too deep or too long is cut where the core is sure to refuse it.

const { getPrototypeOf, keys } = Object
const isEnumerable = Object.prototype.propertyIsEnumerable
const { isArray } = Array
const { isFinite, isInteger, isSafeInteger } = Number
const { isDate } = require('node:util').types
const dateToText = Date.prototype.toISOString
const INT_MIN = -(2n ** 63n)
const UINT_MAX = 2n ** 64n - 1n
// What stands in a text of JSON only after an escape; and what may be half of a character.
const DELICATE = /[\u0000-\u001f"\\\ud800-\udfff]/

/** Why a request cannot be put into text, and where: its path is put together on the way out. */
class Unreadable extends Error {
  /** @param {string} what */
  constructor(what) {
    super(what)
    /** @type {string[]} */
    this.path = []
  }

  /** The path and what is wrong there; names of attributes, never their values. */
  get detail() {
    const path = this.path.join('.')
    const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path
    return `the request${shown && `'s \`${shown}\``} ${this.message}`
  }
}

/** The request is longer than the core would read. */
class TooLong extends Error {}

/**
 * What the core would read of a request at the most.
 *
 * @typedef {object} Reading
 * @property {number} bytes
 * @property {number} depth
 * @property {(entity: string, type: string) => readonly string[] | null} wanted The attributes that the policy looks at;
 *   null for all.
 * @property {(entity: string, type: string) => ReadonlyMap<string, number> | null} numbers The same with the numbers that
 *   the addon knows them by.
 */

/** One walk through one request. */
class Walk {
  /** @param {{ bytes: number, depth: number }} limits */
  constructor(limits) {
    this.bytes = limits.bytes
    this.depth = limits.depth
    this.length = 0
  }
}

/**
 * The text of a request.
 *
 * @param {any} request
 * @param {Reading} reading
 * @returns {string}
 * @throws {Unreadable} for what has no single meaning.
 */
function requestText(request, reading) {
  const walk = new Walk(reading)
  try {
    if (!isPlain(request)) throw new Unreadable('must be a plain object')
    let text = ''
    if (has(request, 'subject')) text += `,"subject":${partyText('subject', at(request, 'subject'), reading, walk)}`
    if (has(request, 'action')) text += `,"action":${actionText(at(request, 'action'), reading, walk)}`
    if (has(request, 'resource')) text += `,"resource":${partyText('resource', at(request, 'resource'), reading, walk)}`
    if (has(request, 'context')) text += `,"context":${attributesText('context', '', at(request, 'context'), 2, reading, walk)}`
    return `{${text.slice(1)}}`
  } catch (error) {
    if (error instanceof TooLong) return ' '.repeat(reading.bytes + 1)
    throw unreadable(error)
  }
}

/**
 * @param {'subject' | 'resource'} entity
 * @param {any} party
 * @param {Reading} reading
 * @param {Walk} walk
 * @returns {string}
 */
function partyText(entity, party, reading, walk) {
  try {
    if (!isPlain(party)) return valueText(party, 2, walk)
    let text = ''
    let type = ''
    if (has(party, 'type')) {
      const given = at(party, 'type')
      if (typeof given === 'string') type = given
      text += `,"type":${member('type', given, 3, walk)}`
    }
    if (has(party, 'id')) text += `,"id":${member('id', at(party, 'id'), 3, walk)}`
    if (has(party, 'properties')) {
      text += `,"properties":${attributesText('properties', type, at(party, 'properties'), 3, reading, walk, entity)}`
    }
    return `{${text.slice(1)}}`
  } catch (error) {
    throw below(entity, error)
  }
}

/**
 * @param {any} action
 * @param {Reading} reading
 * @param {Walk} walk
 * @returns {string}
 */
function actionText(action, reading, walk) {
  try {
    if (typeof action === 'string') return `{"name":${valueText(action, 3, walk)}}`
    if (!isPlain(action)) return valueText(action, 2, walk)
    let text = ''
    let name = ''
    if (has(action, 'name')) {
      const given = at(action, 'name')
      if (typeof given === 'string') name = given
      text += `,"name":${member('name', given, 3, walk)}`
    }
    if (has(action, 'properties')) {
      text += `,"properties":${attributesText('properties', name, at(action, 'properties'), 3, reading, walk, 'action')}`
    }
    return `{${text.slice(1)}}`
  } catch (error) {
    throw below('action', error)
  }
}

/**
 * The attributes of an entity: those that the policy looks at, as the core ignores the others.
 *
 * @param {string} name Of the member that holds them.
 * @param {string} type Of the entity.
 * @param {any} attributes
 * @param {number} depth
 * @param {Reading} reading
 * @param {Walk} walk
 * @param {string} [entity]
 * @returns {string}
 */
function attributesText(name, type, attributes, depth, reading, walk, entity = name) {
  try {
    if (!isPlain(attributes)) return valueText(attributes, depth, walk)
    const wanted = reading.wanted(entity, type)
    if (wanted === null) return mapText(attributes, keys(attributes), depth, walk)
    let text = ''
    for (const wantedName of wanted) {
      if (has(attributes, wantedName)) {
        text += `,${quoted(wantedName)}:${member(wantedName, at(attributes, wantedName), depth + 1, walk)}`
      }
    }
    return `{${text.slice(1)}}`
  } catch (error) {
    throw below(name, error)
  }
}

/**
 * The text of a document: of a pack or a drill.
 *
 * @param {unknown} document
 * @param {{ bytes: number, depth: number }} limits
 * @returns {string}
 */
function documentText(document, limits) {
  try {
    return valueText(document, 1, new Walk(limits))
  } catch (error) {
    if (error instanceof TooLong) throw new TypeError(`the document is longer than ${limits.bytes} signs`)
    throw new TypeError(unreadable(error).detail.replace('the request', 'the document'))
  }
}

/**
 * The text of an operation; the message of an error says what no operation can hold.
 *
 * @param {object} operation
 * @param {{ bytes: number, depth: number }} limits
 * @returns {string}
 * @throws {Unreadable} with a `detail`.
 */
function operationText(operation, limits) {
  try {
    return valueText(operation, 1, new Walk(limits))
  } catch (error) {
    throw error instanceof TooLong ? new Unreadable(`is longer than ${limits.bytes} signs`) : unreadable(error)
  }
}

/**
 * @param {unknown} value
 * @param {number} depth Of the value, if it is an object.
 * @param {Walk} walk
 * @returns {string}
 */
function valueText(value, depth, walk) {
  switch (typeof value) {
    case 'string':
      return spent(walk, quoted(value))
    case 'number':
      return spent(walk, numberText(value))
    case 'boolean':
      return spent(walk, value ? 'true' : 'false')
    case 'bigint':
      if (value < INT_MIN || value > UINT_MAX) throw new Unreadable('is an integer of more than 64 bits')
      return spent(walk, value.toString())
    case 'object':
      if (value === null) return spent(walk, 'null')
      return objectText(value, depth, walk)
    case 'undefined':
      throw new Unreadable('is undefined; leave it out, or give it a value')
    default:
      throw new Unreadable(`is a ${typeof value}, which no request can hold`)
  }
}

/**
 * @param {object} value
 * @param {number} depth
 * @param {Walk} walk
 * @returns {string}
 */
function objectText(value, depth, walk) {
  // The core refuses a value at this depth, whatever it holds; what holds itself ends here too.
  if (depth > walk.depth) return '[]'
  if (isArray(value)) return listText(value, depth, walk)
  if (isPlain(value)) return mapText(value, keys(value), depth, walk)
  if (isDate(value)) return spent(walk, dateText(value))
  throw new Unreadable('must be a plain object, a list, a text, a number, a boolean or null')
}

/**
 * @param {readonly unknown[]} list
 * @param {number} depth
 * @param {Walk} walk
 * @returns {string}
 */
function listText(list, depth, walk) {
  const { length } = list
  let text = '['
  for (let index = 0; index < length; index++) {
    if (index > 0) text += ','
    text += member(index, list[index], depth + 1, walk)
  }
  return spent(walk, `${text}]`, length + 2)
}

/**
 * @param {any} map
 * @param {readonly string[]} names
 * @param {number} depth
 * @param {Walk} walk
 * @returns {string}
 */
function mapText(map, names, depth, walk) {
  let text = '{'
  for (const name of names) {
    if (text !== '{') text += ','
    const quotedName = spent(walk, quoted(name))
    text += `${quotedName}:${member(name, at(map, name), depth + 1, walk)}`
  }
  return spent(walk, `${text}}`, 2)
}

/**
 * @param {string | number} name
 * @param {unknown} value
 * @param {number} depth
 * @param {Walk} walk
 * @returns {string}
 */
function member(name, value, depth, walk) {
  try {
    return valueText(value, depth, walk)
  } catch (error) {
    throw below(name, error)
  }
}

/**
 * Reads a property, once.
 *
 * @param {any} object
 * @param {string} name
 * @returns {unknown}
 */
function at(object, name) {
  try {
    return object[name]
  } catch (error) {
    throw below(name, error)
  }
}

/**
 * @param {string | number} name
 * @param {unknown} error
 */
function below(name, error) {
  if (error instanceof TooLong) return error
  const found = unreadable(error)
  found.path.unshift(String(name))
  return found
}

/** @param {unknown} error */
function unreadable(error) {
  return error instanceof Unreadable ? error : new Unreadable('cannot be read: reading it throws')
}

/**
 * @param {any} object
 * @param {string} name
 */
function has(object, name) {
  return isEnumerable.call(object, name)
}

/**
 * Whether a value is an object of its own members alone, of this realm or another. Of any other a member could come from
 * its class, and nobody could tell which of them are meant.
 *
 * @param {unknown} value
 */
function isPlain(value) {
  if (value === null || typeof value !== 'object' || isArray(value)) return false
  const prototype = getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || getPrototypeOf(prototype) === null
}

/** @param {string} text */
function quoted(text) {
  if (!DELICATE.test(text)) return `"${text}"`
  if (!text.isWellFormed()) throw new Unreadable('holds half of a character')
  return JSON.stringify(text)
}

/** @param {number} number */
function numberText(number) {
  if (isSafeInteger(number)) return String(number)
  if (!isFinite(number)) throw new Unreadable('is not a finite number')
  // An integer of the core may have lost digits on its way into this number. What no integer of the core reaches is a
  // double, and exact.
  if (isInteger(number) && number < 2 ** 64 && number > -(2 ** 64)) {
    throw new Unreadable('is a whole number beyond 2 ** 53 - 1, which a number may not hold exactly; give a bigint')
  }
  return String(number)
}

/** @param {Date} date */
function dateText(date) {
  try {
    return `"${dateToText.call(date)}"`
  } catch {
    throw new Unreadable('is no date')
  }
}

/**
 * Counts what was written, so that no request makes a text much longer than the core would read.
 *
 * @param {Walk} walk
 * @param {string} text
 * @param {number} [length] How much of it is new.
 */
function spent(walk, text, length = text.length) {
  walk.length += length
  if (walk.length > walk.bytes) throw new TooLong()
  return text
}

exports.Unreadable = Unreadable
exports.documentText = documentText
exports.operationText = operationText
exports.requestText = requestText
