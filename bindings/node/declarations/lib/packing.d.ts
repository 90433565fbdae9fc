export { Packer };
export type Reading = import('./request.js').Reading;
/** @typedef {import('./request.js').Reading} Reading */
/** Packs requests into a buffer of its own. */
declare class Packer {
    #private;
    bytes: Uint8Array<ArrayBuffer>;
    /** Where the next byte goes; beyond the end where the request does not fit the packed form. */
    next: number;
    /** Whether a request is being packed: a getter may ask the same engine again. */
    busy: boolean;
    constructor();
    /**
     * Packs a request, and says how many bytes it takes; 0 where it does not fit the packed form. Reading it may throw.
     *
     * @param {any} request
     * @param {Reading} reading
     * @returns {number}
     */
    pack(request: any, reading: Reading): number;
}
