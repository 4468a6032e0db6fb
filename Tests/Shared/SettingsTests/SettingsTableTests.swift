import ArgumentParser
import Testing

@testable import Settings

@Suite struct SettingsTableTests {
    @Test func everyOptionIsInTheTableAndTheOtherWayRound() {
        func names(_ given: [GivenOption]) -> Set<String> { Set(given.map(\.name)) }
        func names(_ rows: [SettingDescription]) -> Set<String> { Set(rows.map(\.name)) }
        #expect(names(RouterOptions.none.given) == names(SettingsTable.router + SettingsTable.service))
        #expect(names(WorkerOptions.none.given) == names(SettingsTable.worker + SettingsTable.service))
        #expect(names(GatewayOptions.none.given) == names(SettingsTable.gateway + SettingsTable.service))
        #expect(names(ConnectionOptions.none.given + RequestOptions.none.given) == names(SettingsTable.client))
    }

    @Test func optionsReadAsTheyAreNamed() throws {
        for row in SettingsTable.router where row.name != "insecure" {
            #expect(
                try RouterOptions.parse(["--\(row.name)", "x"]).given.first { $0.values == ["x"] }?.name == row.name)
        }
        for row in SettingsTable.worker {
            #expect(
                try WorkerOptions.parse(["--\(row.name)", "x"]).given.first { $0.values == ["x"] }?.name == row.name)
        }
        for row in SettingsTable.gateway where row.name != "insecure" {
            #expect(
                try GatewayOptions.parse(["--\(row.name)", "x"]).given.first { $0.values == ["x"] }?.name == row.name)
        }
    }

    @Test func environmentNamesAreTheOptionsInCapitals() {
        #expect(Keys.clientEndpoint.description.environmentName == "BIFRONS_CLIENT_ENDPOINT")
    }

    @Test func defaultsAreAllowed() throws {
        _ = try RouterSettings(environment: [:])
        _ = try WorkerSettings(environment: ["BIFRONS_MODEL": "m"])
        _ = try GatewaySettings(environment: [:])
        _ = try ClientSettings(environment: [:])
        _ = try ClusterSettings(environment: [:])
    }
}
