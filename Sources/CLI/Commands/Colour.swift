import BifronsWire
import Glibc
import ProcessSupport

/// Colours by meaning on a terminal.
enum Colour: String {
    case green = "32"
    case yellow = "33"
    case red = "31"

    /// Whether the standard output shows colours: it is a terminal that can, and `NO_COLOR` is not set (no-color.org).
    static func isWanted(isTerminal: Bool, environment: (String) -> String?) -> Bool {
        isTerminal && environment("NO_COLOR")?.isEmpty != false && environment("TERM") != "dumb"
    }

    /// Whether the standard output of this process shows colours.
    static var isWantedHere: Bool {
        isWanted(isTerminal: isatty(STDOUT_FILENO) == 1) { name in getenv(name).map { String(cString: $0) } }
    }

    /// Returns the text in this colour.
    func callAsFunction(_ text: String) -> String { "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" }
}

extension ResultDocument.PolicyAction {
    /// The colour that says what becomes of the image.
    var colour: Colour {
        switch self {
        case .allow: .green
        case .review: .yellow
        case .block: .red
        }
    }
}
