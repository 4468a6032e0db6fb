/// Why a file did not become a picture.
package struct DecodeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// 413: over a limit; 415: not a format that is read; 422: a format that is read, with broken content.
    package let status: Int
    /// For programs: `image_too_large`, `image_too_complex`, `image_unknown_format`, `image_truncated`, `image_corrupt`,
    /// `image_zero_sized` or `image_unsupported`.
    package let code: String
    /// For people: one sentence.
    package let message: String

    package init(status: Int, code: String, message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    package var description: String { "\(status) \(code): \(message)" }

    /// More bytes, pixels or memory than allowed.
    static func tooLarge(_ message: String) -> DecodeError {
        DecodeError(status: 413, code: "image_too_large", message: message)
    }

    /// More scans or time than allowed.
    static func tooComplex(_ message: String) -> DecodeError {
        DecodeError(status: 413, code: "image_too_complex", message: message)
    }

    static func unknownFormat(_ message: String) -> DecodeError {
        DecodeError(status: 415, code: "image_unknown_format", message: message)
    }

    static func truncated(_ message: String) -> DecodeError {
        DecodeError(status: 422, code: "image_truncated", message: message)
    }

    static func corrupt(_ message: String) -> DecodeError {
        DecodeError(status: 422, code: "image_corrupt", message: message)
    }

    static func zeroSized(_ message: String) -> DecodeError {
        DecodeError(status: 422, code: "image_zero_sized", message: message)
    }

    /// A variant of a known format that is not read, such as 12-bit JPEG. 422 and not 415, because one damaged byte of an
    /// ordinary file looks just like it.
    static func unsupported(_ message: String) -> DecodeError {
        DecodeError(status: 422, code: "image_unsupported", message: message)
    }
}
