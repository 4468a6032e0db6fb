import ArgumentParser
import Testing

@testable import ProcessSupport

@Suite struct ProgramTests {
    private struct Mistake: UsageError {}

    private struct Command: ParsableCommand {
        @Option var number: Int
    }

    @Test func usageErrorsExitWithStatus2() {
        for arguments in [["--nothing"], [], ["--number", "x"]] {
            let error = #expect(throws: (any Error).self) { try Command.parse(arguments) }
            #expect(error.map { Program.status(Command.self, $0) } == 2)
        }
        #expect(Program.status(Command.self, Mistake()) == 2)
        #expect(Program.status(Command.self, ValidationError("")) == 2)
    }

    private struct Root: ParsableCommand {
        static let configuration = CommandConfiguration(subcommands: [Classify.self, Status.self])
    }

    private struct Classify: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "classify")
    }

    private struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "status")
    }

    @Test(arguments: [["clasify"], ["clasify", "a.jpg"], ["Classify"], ["clssify", "--json"], ["help", "clasify"]])
    func wrongSubcommandGetsASuggestion(arguments: [String]) throws {
        let word = try #require(arguments.last { $0 != "a.jpg" && $0 != "--json" })
        #expect(
            Program.unknownSubcommand(Root.self, arguments)
                == "there is no command '\(word)'; did you mean 'classify'?")
    }

    @Test func anUnknownSubcommandGetsAListOfAllSubcommands() {
        #expect(
            Program.unknownSubcommand(Root.self, ["photo.jpg"])
                == "there is no command 'photo.jpg'; the commands are classify, status")
        let odd = Arguments.text(of: [0xE9])
        #expect(Program.unknownSubcommand(Root.self, [odd])?.hasPrefix("there is no command '\\xE9'") == true)
    }

    @Test(arguments: [
        [], ["status"], ["--help"], ["help"], ["help", "status"], ["--generate-completion-script", "bash"],
    ])
    func validCommandLinesAreAccepted(arguments: [String]) {
        #expect(Program.unknownSubcommand(Root.self, arguments) == nil)
        #expect(Program.unknownSubcommand(Command.self, ["anything"]) == nil)
    }

    @Test func helpExitsWithStatus0AndExitCodesAreKept() {
        #expect(Program.status(Command.self, CleanExit.helpRequest()) == 0)
        #expect(Program.status(Command.self, ExitCode(69)) == 69)
        #expect(Program.status(Command.self, ExitCode.failure) == 1)
    }
}
