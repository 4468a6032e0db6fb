import BifronsWire
import FoundationEssentials
import Glibc
import Testing

extension EndToEndTests {
    /// Tests the programs' completion scripts and help.
    @Suite(.serialized) struct CompletionTests {
        private static let programs = ["bifrons", "bifrons-router", "bifrons-worker", "bifrons-gateway"]

        private static func output(
            _ program: String, _ arguments: [String], in folder: TemporaryFolder
        ) throws -> String {
            let process = try ChildProcess(
                Files.program(program), arguments, name: program, folder: folder.path, diesWithTests: false)
            #expect(try process.waitForEnd() == .exit(0), "\(process.standardError)")
            return process.standardOutput
        }

        @Test(arguments: programs) func everyProgramPrintsItsVersion(program: String) throws {
            #expect(try Self.output(program, ["--version"], in: TemporaryFolder()) == Release.version + "\n")
        }

        @Test(arguments: programs, ["bash", "zsh", "fish"])
        func completionScriptsCompleteFilesFoldersAndValues(program: String, shell: String) throws {
            let script = try Self.output(program, ["--generate-completion-script", shell], in: TemporaryFolder())
            // What each shell's script contains to complete a file, a folder and one of several words.
            let marks = [
                "bash": ["add_completions -f", "add_completions -d", "'info'$'\\n''notice'"],
                "zsh": [":_files'", ":_files -/'", "'info' 'notice'"],
                "fish": ["-l 'config' ", "complete_directories)'", "info"],
            ]
            for mark in try #require(marks[shell]) { #expect(script.contains(mark), "\(mark)") }
            for level in ["trace", "warning", "critical"] { #expect(script.contains(level)) }
            if program == "bifrons-worker" { for word in ["f32", "bf16", "int8"] { #expect(script.contains(word)) } }
        }

        /// Returns what bash offers for a command line, with the script that `bifrons` makes.
        private static func completions(_ line: [String], in folder: TemporaryFolder) throws -> Set<String> {
            let path = "\(folder.path)/completion.bash"
            if access(path, F_OK) != 0 {
                try Files.write(
                    Array(output("bifrons", ["--generate-completion-script", "bash"], in: folder).utf8), to: path)
            }
            let script = """
                cd "$1" && source completion.bash && shift
                COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
                _bifrons bifrons "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
                printf '%s\\n' "${COMPREPLY[@]}"
                """
            // Each run needs its own name, because the name is that of the output file.
            let name = "bash-\(Files.names(in: folder.path).count)"
            let shell = try ChildProcess(
                "/bin/bash", ["-c", script, "bash", folder.path] + line, name: name, folder: folder.path,
                diesWithTests: false)
            #expect(try shell.waitForEnd() == .exit(0), "\(shell.standardError)")
            return Set(shell.standardOutput.split(separator: "\n").map(String.init))
        }

        @Test func bashCompletesSubcommandsOptionsAndValues() throws {
            let folder = try TemporaryFolder()
            for name in ["here", "here/below"] { mkdir("\(folder.path)/\(name)", 0o700) }
            try Files.write([], to: "\(folder.path)/help.json")
            func offered(_ line: String...) throws -> Set<String> {
                try Self.completions(["bifrons"] + line, in: folder)
            }
            #expect(try offered("cl") == ["classify"])
            #expect(try offered("").isSuperset(of: ["up", "classify", "status", "bench", "models", "keygen"]))
            #expect(try offered("classify", "--req") == ["--require"])
            #expect(try offered("classify", "--require", "") == ["any", "all"])
            #expect(try offered("classify", "--config", "he") == ["here", "help.json"])
            #expect(try offered("classify", "--keys", "he") == ["here"])
            #expect(try offered("classify", "he") == ["here", "help.json"])
            #expect(try offered("classify", "--draw", "help") == ["help.json"])
            #expect(try offered("up", "--precision", "") == ["f32", "bf16", "int8"])
            #expect(try offered("up", "--log-level", "w") == ["warning"])
            #expect(try offered("up", "--models-folder", "h") == ["here"])
            #expect(try offered("up", "--tokens", "hel") == ["help.json"])
            #expect(try offered("bench", "--images", "hel") == ["help.json"])
            #expect(try offered("keygen", "h") == ["here"])
        }

        /// Checks the completion of settings whose values are files, folders or one of several words.
        @Test func settingsForFilesAndFoldersAreCompletedAsSuch() throws {
            for program in Self.programs {
                let script = try Self.output(program, ["--generate-completion-script", "bash"], in: TemporaryFolder())
                let options = [
                    "config": "-f", "ensemble": "-f", "keys": "-d", "models-folder": "-d", "journal": "-f",
                    "model": "-d",
                    "cache-folder": "-d", "tokens": "-f",
                ]
                for (name, kind) in options where script.contains("'--\(name)')") {
                    let body = script.components(separatedBy: "'--\(name)')")[1].prefix { $0 != ";" }
                    #expect(body.contains("add_completions \(kind)\n"), "\(program) --\(name)")
                }
            }
        }
    }
}
