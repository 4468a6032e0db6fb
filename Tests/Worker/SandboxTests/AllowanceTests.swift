import Testing

@testable import Sandbox

struct AllowanceTests {
    private func allowance(_ routers: String..., resolverFile: String = "/etc/resolv.conf") -> Allowance {
        Allowance(routers: routers, code: false, resolverFile: resolverFile)
    }

    @Test func routersOfThisMachineTakeUnixSocketsOnly() {
        let allowance = allowance("ipc:///run/bifrons/workers")
        #expect(allowance.unixSockets && !allowance.names)
        #expect(allowance.ports.isEmpty && allowance.folders.isEmpty)
    }

    @Test(arguments: ["127.0.0.1", "10.1.2.3", "[::1]", "[fd00::5]"]) func addressesTakeTheirPortsOnly(host: String) {
        let allowance = allowance("tcp://\(host):5556", "tcp://\(host):6000")
        #expect(allowance.ports == [5556, 6000])
        #expect(!allowance.unixSockets && !allowance.names && allowance.folders.isEmpty)
    }

    @Test(arguments: [
        "tcp://localhost", "tcp://router", "tcp://10.1.2", "tcp://10.1.2.256", "tcp://[fe80::1%eth0]", "dns://routers",
    ])
    func namesTakeTheResolversFilesAndPorts(host: String) {
        let allowance = allowance("\(host):5556", "ipc:///run/other")
        #expect(allowance.ports == [53, 5556])
        #expect(allowance.names && allowance.unixSockets)
        #expect(allowance.folders == ["/etc"])
    }

    @Test func foldersThatAreReadAgainStayReadable() {
        let known = Allowance(
            routers: ["ipc://a"], code: false, folders: ["/srv/banks"], resolverFile: "/etc/resolv.conf")
        #expect(known.folders == ["/srv/banks"] && !known.names && known.ports.isEmpty)
        let named = Allowance(routers: ["dns://a:1"], code: false, folders: ["/srv/banks"], resolverFile: "/etc/r")
        #expect(named.folders == ["/srv/banks", "/etc"])
    }

    @Test func addressesOfNameServersMayBeInAFolderOfAService() {
        let file = "/run/systemd/resolve/stub-resolv.conf"
        #expect(allowance("dns://a:1", resolverFile: file).folders == ["/etc", "/run/systemd/resolve"])
        #expect(allowance("tcp://10.0.0.1:1", resolverFile: file).folders.isEmpty)
    }
}
