package import ArgumentParser
import Glibc

/// Runs a command, and ends the process with the exit status that the README promises.
package enum Program {
    /// The exit status for a wrong command line or wrong settings. (ArgumentParser's own would be 64.)
    package static let usageStatus: Int32 = 2

    /// Parses the command line, runs the command on this thread, the main one, and exits.
    ///
    /// An asynchronous command runs as a task on other threads; ``Interruption`` describes how signals end it. For a
    /// synchronous command, no task has been started, so it can still block signals for the whole process.
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

    /// Returns an error text if the first argument should name a subcommand and names none; otherwise nil.
    static func unknownSubcommand<Command: ParsableCommand>(_ command: Command.Type, _ arguments: [String]) -> String? {
        let names = command.configuration.subcommands.compactMap { $0.configuration.commandName }
        // ArgumentParser adds the subcommand 'help', whose argument is a subcommand.
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
        // This is safe because only the task uses the command from here on.
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

    /// Returns the exit status for an error that a command threw.
    package static func status<Command: ParsableCommand>(_ command: Command.Type, _ error: any Error) -> Int32 {
        if error is any UsageError { return usageStatus }
        let code = command.exitCode(for: error)
        return code == .validationFailure ? usageStatus : code.rawValue
    }

    private static func finish<Command: ParsableCommand>(_ command: Command.Type, _ error: any Error) -> Never {
        let status = status(command, error)
        // ArgumentParser reports help and version as errors with status 0; they belong on the standard output.
        let message = command.fullMessage(for: error)
        if !message.isEmpty {
            if status == 0 { print(message) } else { printError(message) }
        }
        exit(status)
    }
}

/// A mistake in the command line or the settings. The process ends with ``Program/usageStatus``.
package protocol UsageError: Error {}

/// Writes a line to the standard error, without buffering.
package func printError(_ line: String) {
    var line = line + "\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
