/// The reason why a file could not be decoded.
package struct DecodeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The HTTP status: 413 over a limit, 415 not a supported format, 422 a supported format with broken content.
    package let status: Int
    /// A code for programs: `image_too_large`, `image_too_complex`, `image_unknown_format`, `image_truncated`,
    /// `image_corrupt`, `image_zero_sized` or `image_unsupported`.
    package let code: String
    /// One sentence for people.
    package let message: String

    package init(status: Int, code: String, message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    package var description: String { "\(status) \(code): \(message)" }

    /// Returns the error for a file with more bytes, pixels or memory than allowed.
    static func tooLarge(_ message: String) -> DecodeError {
        DecodeError(status: 413, code: "image_too_large", message: message)
    }

    /// Returns the error for a file that takes longer to decode than the limits allow.
    static func outOfTime(_ format: ImageFormat, _ limits: DecodeLimits) -> DecodeError {
        .tooComplex("\(format.title) takes longer to decode than the limit of \(limits.time): send it smaller.")
    }

    /// Returns the error for a file with more scans than allowed, or that takes longer to decode than allowed.
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

    /// Returns the error for an unsupported variant of a supported format, such as 12-bit JPEG. The status is 422, not
    /// 415, because one damaged byte of an ordinary file looks the same.
    static func unsupported(_ message: String) -> DecodeError {
        DecodeError(status: 422, code: "image_unsupported", message: message)
    }
}
