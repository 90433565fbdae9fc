export { authorize };
export { fallgate };
export type Engine = import('./lib/engine.js').Engine;
/** @typedef {import('./lib/engine.js').Engine} Engine */
/**
 * A `preHandler` hook that goes on where the engine allows, and answers 403 otherwise.
 *
 * @param {Engine} engine
 * @param {import('./lib/enforcement.js').Protection<[request: any, reply: any]>} protection Annotate its parameters with Fastify's types.
 * @returns {(request: any, reply: any) => Promise<unknown>}
 */
declare function authorize(engine: Engine, protection: import('./lib/enforcement.js').Protection<[request: any, reply: any]>): (request: any, reply: any) => Promise<unknown>;
/**
 * A plugin that protects every route of the scope that it is registered in.
 *
 * @param {{ addHook: (name: any, hook: any) => any }} fastify
 * @param {{ engine: Engine } & import('./lib/enforcement.js').Protection<[request: any, reply: any]>} options
 * @returns {Promise<void>}
 */
declare function fallgate(fastify: {
    addHook: (name: any, hook: any) => any;
}, { engine, ...protection }: {
    engine: Engine;
} & import('./lib/enforcement.js').Protection<[request: any, reply: any]>): Promise<void>;
