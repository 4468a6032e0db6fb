import Testing

@testable import Inference

@Suite struct EngineTests {
    @Test func theEngineHasTheRequiredVersion() throws {
        let engine = try Engine.load()
        #expect(engine.version == Engine.requiredVersion)
        #expect(engine.path.hasSuffix(Engine.libraryName))
    }

    @Test func theErrorOfAMissingEngineNamesTheSearchedFoldersAndTheRemedy() throws {
        let search = EngineSearch(setting: nil, executableFolder: "/nowhere/bin")
        let error = try failure { try Engine.load(from: search) }
        #expect(error.code == .engineMissing)
        #expect(
            error.message == """
                the inference engine OpenVINO 2026.4.1 (libopenvino_c.so.2641) is not in /nowhere/bin, \
                /nowhere/bin/../lib/openvino or vendor/openvino/openvino/libs in or above /nowhere/bin: \
                run `make engine`, or set OPENVINO_LIB_DIR to the folder that holds it
                """)
    }

    @Test func onlyAConfiguredFolderIsSearched() throws {
        let search = EngineSearch(setting: "/opt/other", executableFolder: "/usr/bin")
        #expect(search.folders == ["/opt/other"])
        let error = try failure { try Engine.load(from: search) }
        #expect(error.message.contains("is not in /opt/other (OPENVINO_LIB_DIR): run `make engine`"))
    }

    @Test func theVendoredEngineIsSearchedInTheFoldersAboveTheExecutable() {
        let search = EngineSearch(setting: "", executableFolder: "/src/.build/debug")
        #expect(
            search.folders == [
                "/src/.build/debug", "/src/.build/debug/../lib/openvino",
                "/src/.build/debug/vendor/openvino/openvino/libs", "/src/.build/vendor/openvino/openvino/libs",
                "/src/vendor/openvino/openvino/libs", "/vendor/openvino/openvino/libs",
            ])
    }

    @Test func aLibraryThatIsNotTheEngineIsRefusedWithItsPath() throws {
        let folder = try ModelFolder()
        try folder.write(Engine.libraryName, Array("not a library".utf8))
        let search = EngineSearch(setting: folder.path, executableFolder: "/")
        let error = try failure { try Engine.load(from: search) }
        #expect(error.code == .engineUnusable)
        #expect(error.message.contains("\(folder.path)/\(Engine.libraryName) cannot be used"))
    }
}
