package import ArgumentParser
import Glibc

/// Runs a command and ends the process with the exit status that our documentation promises.
package enum Program {
    /// The exit status for a command line or settings that make no sense. (ArgumentParser's own would be 64.)
    package static let usageStatus: Int32 = 2

    /// Parses the command line, runs the command on this thread, the main one, and exits.
    ///
    /// An asynchronous command runs on the tasks' threads. No task has been started before, so a command that is not
    /// may still block signals for the whole process. Signals that end an asynchronous one: see ``Interruption``.
    package static func run<Command: ParsableCommand>(_ command: Command.Type) -> Never {
        do {
            let arguments = Arguments.ofProcess
            if let complaint = unknownSubcommand(command, arguments) { throw ValidationError(complaint) }
            var parsed = try command.parseAsRoot(arguments)
            guard let asynchronous = parsed as? any AsyncParsableCommand else {
                try parsed.run()
                exit(EXIT_SUCCESS)
            }
            run(asynchronous, command)
        } catch {
            finish(command, error)
        }
    }

    /// What is wrong with the word that should be a subcommand; nil if nothing is, or if there are none.
    static func unknownSubcommand<Command: ParsableCommand>(_ command: Command.Type, _ arguments: [String]) -> String? {
        let names = command.configuration.subcommands.compactMap { $0.configuration.commandName }
        // 'help' is ArgumentParser's own, and names a subcommand itself.
        guard !names.isEmpty, let word = arguments.first(where: { $0 != "help" }), !word.hasPrefix("-"),
            !names.contains(word)
        else { return nil }
        return "there is no command '\(FileName(argument: word).text)'; "
            + (Suggestion.closest(to: word, among: names).map { "did you mean '\($0)'?" }
                ?? "the commands are \(names.joined(separator: ", "))")
    }

    private static func run<Command: ParsableCommand>(
        _ parsed: sending any AsyncParsableCommand, _ command: Command.Type
    ) -> Never {
        // A Mutex could hand it over as well; the task is the only one to touch it from here on.
        nonisolated(unsafe) var parsed = parsed
        Interruption.block()
        Task {
            do {
                try await parsed.run()
                exit(EXIT_SUCCESS)
            } catch {
                finish(command, error)
            }
        }
        Interruption.wait()
    }

    /// The exit status for an error that a command threw.
    package static func status<Command: ParsableCommand>(_ command: Command.Type, _ error: any Error) -> Int32 {
        if error is any UsageError { return usageStatus }
        let code = command.exitCode(for: error)
        return code == .validationFailure ? usageStatus : code.rawValue
    }

    private static func finish<Command: ParsableCommand>(_ command: Command.Type, _ error: any Error) -> Never {
        let status = status(command, error)
        // Help and version are "errors" with status 0, and belong on the standard output.
        let message = command.fullMessage(for: error)
        if !message.isEmpty {
            if status == 0 { print(message) } else { printError(message) }
        }
        exit(status)
    }
}

/// An error of whoever wrote the command line or the settings: the process ends with ``Program/usageStatus``.
package protocol UsageError: Error {}

/// Writes a line to the standard error, at once.
package func printError(_ line: String) {
    var line = line + "\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
