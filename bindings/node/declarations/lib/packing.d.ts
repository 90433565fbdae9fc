export { bytes };
export { pack };
export type Reading = import('./request.js').Reading;
/** @typedef {import('./request.js').Reading} Reading */
/** Where requests are packed: one buffer for this thread, read before anything else can be packed. */
declare const bytes: Uint8Array<ArrayBuffer>;
/**
 * Packs a request, and says how many bytes it takes; 0 where it does not fit the packed form. Reading it may throw.
 *
 * @param {any} request
 * @param {Reading} reading
 * @returns {number}
 */
declare function pack(request: any, reading: Reading): number;
