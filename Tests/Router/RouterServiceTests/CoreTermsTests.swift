import RouterCore
import Settings
import Testing

@testable import RouterService

struct CoreTermsTests {
    /// The core cannot import the settings; its tests and the simulations are to run with what the program has by default.
    @Test func theCoresDefaultsEqualTheSettingsDefaults() throws {
        #expect(RouterCore.Configuration(try RouterSettings(environment: [:])) == RouterCore.Configuration())
    }

    @Test func theJournalSettingEnablesTheCoresJournal() throws {
        #expect(RouterCore.Configuration(try RouterSettings(environment: ["BIFRONS_JOURNAL": "j"])).keepsJournal)
    }
}
