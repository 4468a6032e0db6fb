import Settings
import Testing

/// Tests that the README's table of settings matches the programs.
@Suite struct ReadmeTests {
    @Test func tableOfSettingsIsComplete() {
        let readme = Files.text(Files.root + "/README.md")
        for setting in SettingsTable.all {
            let value = setting.defaultText.map { " `\($0)` " } ?? " "
            let row = "| `\(setting.name)` |\(value)| \(setting.meaning) |"
            #expect(readme.contains(row), "the README has no row \(row)")
        }
    }
}
