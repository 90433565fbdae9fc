'use strict'
// A middleware for Express, and for whatever else calls `(req, res, next)`.

const { PROBLEM, checked, problem, settle } = require('./lib/enforcement.js')

/** @typedef {import('node:http').IncomingMessage} IncomingMessage */
/** @typedef {import('node:http').ServerResponse} ServerResponse */

/**
 * A middleware that goes on where the engine allows, and answers 403 otherwise. The decision is then in
 * `res.locals.decision`.
 *
 * @template {IncomingMessage} Req
 * @template {ServerResponse} Res
 * @param {import('./lib/engine.js').Engine} engine
 * @param {import('./lib/enforcement.js').Protection<[req: Req, res: Res]>} protection
 * @returns {(req: Req, res: Res, next: (error?: any) => void) => Promise<void>}
 */
function authorize(engine, protection) {
  checked(engine, protection)
  return async (req, res, next) => {
    const { allowed, decision } = await settle(engine, protection, [req, res])
    const { locals } = /** @type {{ locals?: Record<string, unknown> }} */ (res)
    if (locals !== undefined) locals.decision = decision
    if (allowed) return next()
    if (res.headersSent) {
      res.destroy()
      return
    }
    res.statusCode = 403
    res.setHeader('Content-Type', PROBLEM)
    res.setHeader('Cache-Control', 'no-store')
    res.end(JSON.stringify(problem(decision)))
  }
}

exports.authorize = authorize
