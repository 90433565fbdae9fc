export { authorize };
export type IncomingMessage = import('node:http').IncomingMessage;
export type ServerResponse = import('node:http').ServerResponse;
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
declare function authorize<Req extends IncomingMessage, Res extends ServerResponse>(engine: import('./lib/engine.js').Engine, protection: import('./lib/enforcement.js').Protection<[req: Req, res: Res]>): (req: Req, res: Res, next: (error?: any) => void) => Promise<void>;
