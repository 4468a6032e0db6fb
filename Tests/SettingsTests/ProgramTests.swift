import ArgumentParser
import Testing

@testable import Settings

@Suite struct ProgramTests {
    private struct Command: ParsableCommand {
        @Option var number: Int
    }

    @Test func usageErrorsEndWithTwo() {
        for arguments in [["--nothing"], [], ["--number", "x"]] {
            let error = #expect(throws: (any Error).self) { try Command.parse(arguments) }
            #expect(error.map { Program.status(Command.self, $0) } == 2)
        }
        #expect(Program.status(Command.self, SettingsError(setting: "a", "b")) == 2)
        #expect(Program.status(Command.self, ValidationError("")) == 2)
    }

    @Test func helpEndsWithZeroAndExitCodesAreKept() {
        #expect(Program.status(Command.self, CleanExit.helpRequest()) == 0)
        #expect(Program.status(Command.self, ExitCode(69)) == 69)
        #expect(Program.status(Command.self, ExitCode.failure) == 1)
    }
}
