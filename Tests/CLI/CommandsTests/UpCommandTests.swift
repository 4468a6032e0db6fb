import ArgumentParser
import Settings
import Testing

@testable import Commands

@Suite struct UpCommandTests {
    private func hint(_ arguments: [String], program: String = "bifrons") throws -> String {
        UpCommand.hint(try ClusterSettings(ClusterOptions.parse(arguments).given, environment: [:]), program: program)
    }

    @Test func hintNamesTheRouter() throws {
        #expect(
            try hint([])
                == "submit to tcp://127.0.0.1:5555, for instance: bifrons classify --router=tcp://127.0.0.1:5555 IMAGE")
        #expect(
            try hint(["--client-endpoint=tcp://127.0.0.1:7777"]).hasSuffix(
                "bifrons classify --router=tcp://127.0.0.1:7777 IMAGE"))
        #expect(
            try hint(["--client-endpoint=ipc:///tmp/a b"]).hasSuffix("bifrons classify '--router=ipc:///tmp/a b' IMAGE")
        )
    }

    @Test func hintAsksForAKeyWhenTheFolderHasNoClientKey() throws {
        let folder = try TemporaryFolder()
        try folder.write("keys/router.secret", [])
        #expect(
            try hint(["--keys=\(folder.path)/keys"])
                == "submit to tcp://127.0.0.1:5555 with the key of a client or an operator")
    }

    @Test func hintGivesAbsolutePathsOfKeysAndProgram() throws {
        let folder = try TemporaryFolder()
        try folder.write("it's keys/client.secret", [])
        try folder.write("bin/bifrons", [])
        let text = try hint(["--keys=\(folder.path)/bin/../it's keys"], program: "\(folder.path)/./bin/bifrons")
        #expect(text.contains("\(folder.path)/bin/bifrons classify --router="))
        #expect(text.hasSuffix(" '--keys=\(folder.path)/it'\\''s keys' IMAGE"))
    }
}
