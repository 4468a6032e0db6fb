import ArgumentParser
import Keyring

/// The command `bifrons keygen`.
struct KeygenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen", abstract: "Generates CURVE key pairs and an allow-list.",
        discussion: """
            Every program takes this folder with --keys. Copy to another machine only router.public and the one secret \
            that it needs: worker.secret for workers, client.secret or operator.secret for clients, gateway.secret for \
            a gateway.
            """)

    @Argument(help: "The folder to create; it must not exist yet.", completion: .directory) var folder: String

    func run() throws {
        try CommandError.report {
            _ = try KeyFolder.make(at: folder)
            printLine(
                "\(folder) has the keys of a router, a client, a worker, a gateway and an operator, and who is allowed")
        }
    }
}
