import BifronsZeroMQ
import Glibc
import Keyring
import Testing

/// A folder of keys in a folder of its own.
final class KeyFolderTests {
    private static let files = [
        "router.public", "router.secret", "client.secret", "worker.secret", "gateway.secret", "operator.secret",
        "allowed",
    ]
    private let parent: String
    private var path: String { parent + "/keys" }

    init() throws {
        var template = Array("/tmp/bifrons-keys-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        parent = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in Self.files { unlink("\(parent)/keys/\(name)") }
        rmdir("\(parent)/keys")
        rmdir(parent)
    }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
    }

    @Test func secretsAreReadableOnlyByTheirOwner() throws {
        _ = try KeyFolder.make(at: path)
        #expect(mode(path) == 0o700)
        for name in Self.files where name.hasSuffix(".secret") { #expect(mode("\(path)/\(name)") == 0o600) }
    }

    @Test func existingKeysAreNotOverwritten() throws {
        let folder = try KeyFolder.make(at: path)
        let list = try folder.allowList()
        let path = path
        #expect(throws: KeyringError.self) { _ = try KeyFolder.make(at: path) }
        #expect(try folder.allowList() == list)
    }

    @Test(arguments: AllowList.Role.allCases) func theAllowListContainsEveryGeneratedKey(role: AllowList.Role) throws {
        let folder = try KeyFolder.make(at: path)
        guard case .client(_, let publicKey, _) = try folder.client(role) else {
            Issue.record("no client")
            return
        }
        #expect(try folder.allowList()[publicKey]?.role == role)
    }

    @Test func aClientNeedsOnlyItsSecretAndTheRoutersPublicKey() throws {
        let folder = try KeyFolder.make(at: path)
        for name in Self.files where name != "router.public" && name != "operator.secret" { unlink("\(path)/\(name)") }
        guard case .client = try folder.client(.client, .operator) else {
            Issue.record("no client")
            return
        }
        #expect(folder.has(.operator) && !folder.has(.client) && !folder.has(.gateway))
        #expect(throws: KeyringError.self) { _ = try folder.client(.client) }
        #expect(throws: KeyringError.self) { _ = try folder.server() }
        #expect(throws: KeyringError.self) { _ = try folder.allowList() }
    }

    @Test func aSecretThatOthersCanReadIsRefused() throws {
        let folder = try KeyFolder.make(at: path)
        for mode: mode_t in [0o644, 0o660, 0o604] {
            chmod("\(path)/router.secret", mode)
            #expect(throws: KeyringError.self) { _ = try folder.server() }
        }
    }

    @Test func onlyASecretOwnedByRootMayBeReadableByItsGroup() throws {
        let folder = try KeyFolder.make(at: path)
        chmod("\(path)/router.secret", 0o640)
        if geteuid() == 0 {
            _ = try folder.server()
            chown("\(path)/router.secret", 1, 1)
        }
        #expect(throws: KeyringError.self) { _ = try folder.server() }
    }

    @Test func anInvalidKeyIsRefusedWithoutRevealingIt() throws {
        let folder = try KeyFolder.make(at: path)
        let path = "\(path)/client.secret"
        let descriptor = open(path, O_WRONLY | O_TRUNC)
        let text = Array("not-a-key".utf8)
        #expect(write(descriptor, text, text.count) == text.count)
        close(descriptor)
        do {
            _ = try folder.client(.client)
            Issue.record("no error")
        } catch {
            #expect(error.description.contains(path))
            #expect(!error.description.contains("not-a-key"))
        }
    }
}
