import RouterCore
import Settings
import Testing

@testable import RouterService

struct CoreTermsTests {
    /// The core cannot import the settings; its tests and the simulations are to run with what the program has by default.
    @Test func defaultsOfTheCoreAreThoseOfTheSettings() throws {
        #expect(RouterCore.Configuration(try RouterSettings(environment: [:])) == RouterCore.Configuration())
    }

    @Test func journalOfTheSettingsIsTheCoresToo() throws {
        #expect(RouterCore.Configuration(try RouterSettings(environment: ["BIFRONS_JOURNAL": "j"])).keepsJournal)
    }
}
