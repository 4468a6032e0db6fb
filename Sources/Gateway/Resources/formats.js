/** Recognises unsupported image formats by the first bytes of a file. */

const ascii = (bytes, from, to) => String.fromCharCode(...bytes.subarray(from, to));

/** Returns the name of a file's format if the service certainly does not support it; otherwise undefined. */
export async function unreadableFormat(file) {
    const head = new Uint8Array(await file.slice(0, 16).arrayBuffer());
    if (ascii(head, 4, 8) === "ftyp") {
        const brand = ascii(head, 8, 12);
        if (/^(hei[cmsx]|hev[cmsx]|mif1|msf1)$/.test(brand)) return "HEIC";
        if (/^avi[fs]$/.test(brand)) return "AVIF";
        return "video";
    }
    if (ascii(head, 0, 5) === "%PDF-") return "PDF";
    return undefined;
}
