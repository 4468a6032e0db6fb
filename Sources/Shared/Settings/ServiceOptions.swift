internal import ArgumentParser

extension Option where Value == String? {
    /// An option named and described by its setting. Optional and without a default, or it would mask the environment and
    /// the file; its text is judged where those are, so that the same mistake gets the same answer everywhere.
    init(_ setting: Setting<some Any>) {
        self.init(
            name: .customLong(setting.name), help: setting.description.help,
            completion: setting.description.completionKind)
    }
}

extension Option where Value == [String] {
    /// An option that may be given several times.
    init(wrappedValue: [String], _ setting: Setting<some Any>) {
        self.init(
            wrappedValue: wrappedValue, name: .customLong(setting.name), parsing: .singleValue,
            help: setting.description.help, completion: setting.description.completionKind)
    }
}

/// What the router and the worker have in common.
package struct ServiceOptions: ParsableArguments {
    @Option(Keys.config) var config: String?
    @Option(Keys.keys) var keys: String?
    @Option(Keys.logLevel) var logLevel: String?
    @Option(Keys.drainTime) var drainTime: String?
    @Option(Keys.imageBytes) var imageBytes: String?

    // No settings: `bifrons up` gives them to its children.
    @Option(help: .hidden) var exitWithParent: Int32?
    @Option(help: .hidden) var readyDescriptor: Int32?

    package init() {}

    /// What was given, to be read here or handed on to a child.
    package var given: [GivenOption] {
        [
            GivenOption(Keys.config, config), GivenOption(Keys.keys, keys), GivenOption(Keys.logLevel, logLevel),
            GivenOption(Keys.drainTime, drainTime), GivenOption(Keys.imageBytes, imageBytes),
        ]
    }

    /// The tie to `bifrons up`, if that started this process.
    package var supervision: Supervision { Supervision(parent: exitWithParent, descriptor: readyDescriptor) }

    /// Ends with the parent if `bifrons up` started this process: see ``Supervision/followParent()``.
    /// Call it first of all, on the main thread.
    package func followParent() {
        supervision.followParent()
    }
}
