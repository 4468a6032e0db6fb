import ArgumentParser
import Testing

@testable import Settings

@Suite struct GatewaySettingsTests {
    private func gateway(_ arguments: [String]) throws -> GatewaySettings {
        try GatewaySettings(GatewayOptions.parse(arguments).given, environment: [:])
    }

    @Test(arguments: ["127.0.0.1", "127.8.0.1", "localhost", "::1"])
    func loopbackNeedsNoTokens(_ host: String) throws {
        #expect(try gateway(["--http-host", host]).host == host)
    }

    @Test(arguments: ["0.0.0.0", "::", "10.0.0.1", "gateway.example", "127.0.0.1.example"])
    func aHostThatOthersCanReachNeedsTokensOrInsecure(_ host: String) throws {
        #expect(throws: SettingsError.self) { try gateway(["--http-host", host]) }
        #expect(try gateway(["--http-host", host, "--insecure"]).host == host)
        #expect(try gateway(["--http-host", host, "--tokens", "file"]).tokens == "file")
    }

    @Test func severalOriginsMayBeGiven() throws {
        let settings = try gateway(["--cors-origin", "https://a.example", "--cors-origin", "https://b.example"])
        #expect(settings.corsOrigins == ["https://a.example", "https://b.example"])
        #expect(try gateway([]).corsOrigins.isEmpty)
    }

    @Test func aByteLimitBelowOneImageIsRefused() {
        #expect(throws: SettingsError.self) { try gateway(["--http-bytes", "1MB", "--image-bytes", "2MB"]) }
    }
}
