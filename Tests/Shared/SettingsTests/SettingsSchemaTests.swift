import ArgumentParser
import FoundationEssentials
import Testing

@testable import Settings

/// Tests of what is derived from the declarations of settings.
@Suite struct SettingsSchemaTests {
    private static let readme =
        #filePath.dropLast("Tests/Shared/SettingsTests/SettingsSchemaTests.swift".count) + "README.md"

    private func rows(_ schema: any SettingsSchema.Type) -> [String] {
        schema.all.map { setting in
            let value = setting.description.defaultText.map { " `\($0)` " } ?? " "
            return "| `\(setting.description.name)` |\(value)| \(setting.description.meaning) |"
        }
    }

    @Test func theReadmesTableOfSettingsMatchesTheDeclarations() throws {
        let (router, worker, gateway) = (rows(RouterSchema.self), rows(WorkerSchema.self), rows(GatewaySchema.self))
        let client = rows(ClientSchema.self)
        let services = router.filter { worker.contains($0) && gateway.contains($0) }
        let every = services.filter(client.contains)
        func own(_ rows: [String]) -> [String] { rows.filter { !services.contains($0) } }
        let children = router + worker + gateway
        let sections = [
            ("every program", every), ("router, worker and gateway", services.filter { !every.contains($0) }),
            ("router", own(router)), ("worker", own(worker)), ("gateway", own(gateway)),
            ("`bifrons classify`, `status`, `models`, `bench`", own(client)),
            ("`bifrons up`", rows(ClusterSchema.self).filter { !children.contains($0) }),
        ]
        let table =
            ["| setting | default | meaning |", "|---|---|---|"] + sections.flatMap { ["| **\($0)** | | |"] + $1 }

        let readme = try String(contentsOf: URL(filePath: String(Self.readme)), encoding: .utf8)
        let lines = readme.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let start = try #require(lines.firstIndex(of: table[0]))
        let written = lines[start...].prefix { $0.hasPrefix("|") }
        let difference = table.difference(from: written)
        #expect(difference.isEmpty, "the README's table of settings differs: \(difference)")
    }

    @Test func everySettingIsAnOptionOfItsProgram() throws {
        func check<Schema: SettingsSchema>(_ schema: Schema.Type) throws {
            for setting in Schema.all.map({ $0.description }) {
                let arguments = setting.form == .flag ? ["--no-\(setting.name)"] : ["--\(setting.name)=x"]
                let given = try SettingOptions<Schema>.parse(arguments).given
                #expect(given.map(\.name) == [setting.name] && given.flatMap(\.arguments) == arguments)
            }
            #expect(try SettingOptions<Schema>.parse([]).given == [])
        }
        try check(RouterSchema.self)
        try check(WorkerSchema.self)
        try check(GatewaySchema.self)
        try check(ConnectionSchema.self)
        try check(ClientSchema.self)
        try check(ClusterSchema.self)
    }

    @Test func helpShowsNameMeaningAndDefaultOfEverySetting() {
        let help = RouterOptions.helpMessage(columns: 1000)
        for setting in RouterSchema.all.map({ $0.description }) {
            #expect(help.contains("--\(setting.name)") && help.contains(setting.meaning))
            if let value = setting.defaultText { #expect(help.contains("\(setting.meaning) (default: \(value))")) }
        }
    }

    @Test func repeatedOptionsKeepTheirOrder() throws {
        let arguments = ["--router=tcp://a:1", "--router=tcp://b:1"]
        #expect(try WorkerOptions.parse(arguments).given.flatMap(\.arguments) == arguments)
    }

    @Test func environmentNamesAreTheOptionsInCapitals() {
        #expect(RouterSchema().clientEndpoint.description.environmentName == "BIFRONS_CLIENT_ENDPOINT")
    }

    @Test func allDefaultsAreValid() throws {
        _ = try RouterSettings(environment: [:])
        _ = try WorkerSettings(environment: ["BIFRONS_MODEL": "m"])
        _ = try GatewaySettings(environment: [:])
        _ = try ClusterSettings(environment: [:])
        #expect(try !ClientSettings(environment: [:]).isSet(\.routers))
        #expect(try ClientSettings(environment: ["BIFRONS_ROUTER": "tcp://a:1"]).isSet(\.routers))
    }
}
