package import ArgumentParser
import BifronsWire

/// The command line tool `bifrons`.
package struct BifronsCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bifrons", abstract: "Tells photographs of real faces from AI-generated ones.",
        discussion: "Every setting has the same name on the command line (--client-endpoint), in the environment "
            + "(BIFRONS_CLIENT_ENDPOINT) and in the file of --config. The command line takes precedence, then the "
            + "environment.",
        version: Release.version,
        subcommands: [
            UpCommand.self, ClassifyCommand.self, StatusCommand.self, BenchCommand.self, ModelsCommand.self,
            PolicyCommand.self, TuneCommand.self, KeygenCommand.self,
        ])

    package init() {}
}
