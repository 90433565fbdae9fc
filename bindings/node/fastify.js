'use strict'
// A plugin and a hook for Fastify.

const { PROBLEM, checked, problem, settle } = require('./lib/enforcement.js')

/** @typedef {import('./lib/engine.js').Engine} Engine */

/**
 * A `preHandler` hook that goes on where the engine allows, and answers 403 otherwise.
 *
 * @param {Engine} engine
 * @param {import('./lib/enforcement.js').Protection<[request: any, reply: any]>} protection Annotate its parameters with Fastify's types.
 * @returns {(request: any, reply: any) => Promise<unknown>}
 */
function authorize(engine, protection) {
  checked(engine, protection)
  return async (request, reply) => {
    const { allowed, decision } = await settle(engine, protection, [request, reply])
    if (allowed && !reply.sent) return undefined
    if (reply.sent) return reply
    reply.code(403)
    reply.header('Content-Type', PROBLEM)
    reply.header('Cache-Control', 'no-store')
    // Fastify sends a text as it is; an object would pass through the route's own serializer.
    reply.send(JSON.stringify(problem(decision)))
    return reply
  }
}

/**
 * A plugin that protects every route of the scope that it is registered in.
 *
 * @param {{ addHook: (name: any, hook: any) => any }} fastify
 * @param {{ engine: Engine } & import('./lib/enforcement.js').Protection<[request: any, reply: any]>} options
 * @returns {Promise<void>}
 */
async function fallgate(fastify, { engine, ...protection }) {
  fastify.addHook('preHandler', authorize(engine, protection))
}

// As `fastify-plugin` marks it: the hook belongs to the scope that registers the plugin, not to one below it.
Object.assign(fallgate, { [Symbol.for('skip-override')]: true, [Symbol.for('fastify.display-name')]: 'fallgate' })

exports.authorize = authorize
exports.fallgate = fallgate
