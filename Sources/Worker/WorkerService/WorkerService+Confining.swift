internal import BifronsWire
internal import Glibc
internal import Logging
internal import Sandbox
internal import Settings

extension WorkerService {
    /// Enters the sandbox of the settings, for the whole process and for good.
    ///
    /// - Parameter stage: The model, which decides on the rights to make code and to read files.
    /// - Returns: What holds of it, for the HELLO; nil if the settings want none.
    /// - Throws: ``UnfitWorker`` if the settings require it and the kernel lacks a part.
    func enterSandbox(for stage: HostedModel) throws(UnfitWorker) -> WorkerMessage.Sandbox? {
        guard settings.sandbox != .off else { return nil }
        // The C library reads the time zone when a log line first needs it, and could not read it any more.
        tzset()
        let confinement = Confinement.enter(
            Allowance(routers: settings.routers, code: stage.makesCode, folders: stage.folders))
        let missing = confinement.gaps.joined(separator: "; ")
        if !missing.isEmpty {
            guard settings.sandbox != .required else {
                throw UnfitWorker(
                    description:
                        "the sandbox is required and incomplete: \(missing): use a kernel that has it, or give "
                        + "--sandbox best-effort")
            }
            logger.warning("the sandbox is incomplete", metadata: ["missing": "\(missing)"])
        }
        return WorkerMessage.Sandbox(
            landlock: UInt8(clamping: confinement.landlock ?? 0), seccomp: confinement.hasFilter)
    }
}
