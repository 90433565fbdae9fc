export { DOCUMENT };
export { configured };
export { fileOrBytes };
export { own };
export type Options = import('./words.js').Options;
/** @typedef {import('./words.js').Options} Options */
/** How much of a pack's, a drill's or a trust root's document is put into text; the core's own limits are below. */
declare const DOCUMENT: Readonly<{
    bytes: number;
    depth: 128;
}>;
/**
 * The options as the addon reads them, and the bytes of the trust root where it was given so.
 *
 * @param {Options} options
 * @returns {{ told: string, root: Uint8Array | undefined }}
 */
declare function configured({ auditHead, auditKey, clockSkewMaxMs, instance, key, limits, stateKey, trust }: Options): {
    told: string;
    root: Uint8Array | undefined;
};
/**
 * A file's path or its bytes, for a call of the addon that takes either.
 *
 * @param {unknown} source
 * @returns {[string, undefined] | [undefined, Uint8Array]}
 */
declare function fileOrBytes(source: unknown): [string, undefined] | [undefined, Uint8Array];
/**
 * Bytes that nobody else can change while they are read.
 *
 * @param {Uint8Array} bytes
 */
declare function own(bytes: Uint8Array): Uint8Array<ArrayBufferLike>;
