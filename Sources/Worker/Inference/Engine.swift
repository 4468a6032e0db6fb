internal import COpenVINO
import Glibc

/// The inference engine OpenVINO. It is loaded at run time, so that everything builds without it.
///
/// An application needs only one; any number of ``Model``s may share it.
// `@unchecked`: the pointers are written once, in `init`, and ov::Core is documented to be thread-safe.
package final class Engine: @unchecked Sendable {
    /// The only release whose C interface this build supports.
    package static let requiredVersion = "2026.4.1"
    /// The name of its library file; the number follows the release.
    static let libraryName = "libopenvino_c.so.2641"

    /// The version that the engine reports, such as `2026.4.1`.
    package let version: String
    /// The path of the library that was loaded.
    package let path: String
    let functions: ov_functions_t
    let core: OpaquePointer

    /// Loads the engine from `$OPENVINO_LIB_DIR` if that is set. Otherwise searches the executable's folder,
    /// `../lib/openvino` beside it, and `vendor/openvino/openvino/libs` in or above the executable's folder. The
    /// working folder is never searched: whoever may write there or above could choose the code that runs.
    ///
    /// - Throws: ``InferenceError`` with the searched places and the remedy if there is no engine or it has another
    ///   version.
    package static func load() throws(InferenceError) -> Engine {
        try load(from: EngineSearch.ofThisProcess())
    }

    static func load(from search: EngineSearch) throws(InferenceError) -> Engine {
        guard let folder = search.folders.first(where: { access("\($0)/\(libraryName)", R_OK) == 0 }) else {
            throw InferenceError(
                .engineMissing,
                """
                the inference engine OpenVINO \(requiredVersion) (\(libraryName)) is not in \(search.description): run \
                `make engine`, or set OPENVINO_LIB_DIR to the folder that holds it
                """)
        }
        return try Engine(path: "\(folder)/\(libraryName)")
    }

    private init(path: String) throws(InferenceError) {
        func unusable(_ reason: String) -> InferenceError {
            InferenceError(
                .engineUnusable,
                """
                the inference engine \(path) cannot be used (\(reason)): install OpenVINO \(Engine.requiredVersion) with \
                `make engine`, or set OPENVINO_LIB_DIR to a folder that holds it
                """)
        }
        // Never closed, because the threads of the engine and its libraries outlive any user of it.
        guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            throw unusable(dlerror().map { String(cString: $0) } ?? "it does not load")
        }
        var functions = ov_functions_t()
        if let missing = ov_load(library, &functions) {
            throw unusable("it has no function \(String(cString: missing))")
        }
        var build = ov_version_t()
        guard functions.get_openvino_version(&build) == 0 else { throw unusable("it does not say its version") }
        let number = build.build_number.map { String(cString: $0) } ?? ""
        functions.version_free(&build)
        // 2026.4.1-22982-e213a147257-releases/2026/4
        let version = number.prefix { $0 != "-" }
        guard version == Engine.requiredVersion else { throw unusable("it is version \(number)") }
        var core: OpaquePointer?
        guard functions.core_create(&core) == 0, let core else { throw unusable(functions.lastError) }
        self.version = String(version)
        self.path = path
        self.functions = functions
        self.core = core
    }

    deinit {
        functions.core_free(core)
    }
}

/// The folders that are searched for the engine, in order, and their description for people.
struct EngineSearch {
    let folders: [String]
    let description: String

    /// Creates the list of folders.
    ///
    /// - Parameters:
    ///   - setting: The value of OPENVINO_LIB_DIR. If set, no other folder is searched.
    ///   - executableFolder: The folder of the running program.
    init(setting: String?, executableFolder: String) {
        if let setting, !setting.isEmpty {
            folders = [setting]
            description = "\(setting) (OPENVINO_LIB_DIR)"
            return
        }
        let vendored = "vendor/openvino/openvino/libs"
        folders =
            [executableFolder, "\(executableFolder)/../lib/openvino"]
            + EngineSearch.ancestors(executableFolder).map { "\($0)/\(vendored)" }
        description =
            "\(executableFolder), \(executableFolder)/../lib/openvino or \(vendored) in or above \(executableFolder)"
    }

    /// Returns the folders for this process and its environment.
    static func ofThisProcess() -> EngineSearch {
        let executable = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            let count = buffer.baseAddress.map { readlink("/proc/self/exe", $0, buffer.count) } ?? 0
            return String(decoding: buffer.prefix(max(count, 0)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        return EngineSearch(
            setting: getenv("OPENVINO_LIB_DIR").map { String(cString: $0) },
            executableFolder: executable.lastIndex(of: "/").map { String(executable[..<$0]) } ?? ".")
    }

    /// Returns a folder and all its ancestors. The root is an empty string.
    private static func ancestors(_ folder: String) -> [String] {
        var all = [folder]
        var rest = folder[...]
        while let slash = rest.lastIndex(of: "/") {
            rest = rest[..<slash]
            all.append(String(rest))
        }
        return all
    }
}

extension ov_functions_t {
    /// The engine's message about its last failure, on one line of at most 400 characters.
    var lastError: String {
        guard let text = get_last_err_msg() else { return "it gives no reason" }
        defer { free(text) }
        let line = String(cString: text).split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return line.isEmpty ? "it gives no reason" : String(line.prefix(400))
    }
}
