import Commands
import Settings

@main
enum Main {
    static func main() {
        Program.run(BifronsCommand.self)
    }
}
