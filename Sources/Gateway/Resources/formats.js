/** Recognises unsupported image formats by the first bytes of a file. */

const ascii = (bytes, from, to) => String.fromCharCode(...bytes.subarray(from, to));

/** Returns the name of a file's format if the service certainly does not support it; otherwise undefined. */
export async function unreadableFormat(file) {
    const head = new Uint8Array(await file.slice(0, 16).arrayBuffer());
    const images = /^(hei[cmsx]|hev[cx]|mif1|msf1|avi[fs])$/;
    if (ascii(head, 4, 8) === "ftyp" && !images.test(ascii(head, 8, 12))) return "video";
    if (ascii(head, 0, 5) === "%PDF-") return "PDF";
    return undefined;
}
