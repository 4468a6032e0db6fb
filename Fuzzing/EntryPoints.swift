import Glibc

/// Selects the target that FUZZ_TARGET names; libFuzzer calls this once, before the first input. With FUZZ_SEEDS, a
/// folder, it only writes that target's seeds there.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ argc: UnsafeMutablePointer<Int32>, _ argv: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> Int32 {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = targets[name] else {
        print("FUZZ_TARGET must be one of \(targets.keys.sorted().joined(separator: ", "))")
        exit(2)
    }
    if let folder = getenv("FUZZ_SEEDS").map({ String(cString: $0) }) {
        for (number, seed) in (seeds[name] ?? []).enumerated() {
            guard let file = fopen("\(folder)/seed-\(number)", "w") else { exit(1) }
            fwrite(seed, 1, seed.count, file)
            fclose(file)
        }
        exit(0)
    }
    chosen = target
    return 0
}

/// Runs the target on one input; libFuzzer calls this for each.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    chosen(UnsafeRawBufferPointer(start: data, count: size))
    return 0
}

/// Written once, before the only thread that reads it continues.
nonisolated(unsafe) private var chosen: Target = { _ in }
