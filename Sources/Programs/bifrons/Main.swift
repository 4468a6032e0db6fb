import Commands
import ProcessSupport

@main
enum Main {
    static func main() {
        Program.run(BifronsCommand.self)
    }
}
