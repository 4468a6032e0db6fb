import BifronsWire
import Decisions
import FoundationEssentials
import Testing

struct PolicyBookTests {
    private func book(_ ensemble: Ensemble? = nil) throws -> PolicyBook {
        PolicyBook(try ensemble ?? Sample.ensemble())
    }

    private func refusal(_ body: () throws(WireError) -> Void) -> WireError? {
        do {
            try body()
            return nil
        } catch {
            return error
        }
    }

    @Test func thePoliciesOfTheFileAreVersionOneAndDecide() throws {
        let book = try book()
        #expect(book.names == ["default", "strict"])
        #expect(book.active("default", for: nil)?.version == 1)
        #expect(
            book.active("default", for: "shop")?.digest == book[PolicyReference(name: "default", version: 1)]?.digest)
        #expect(book.active("none", for: nil) == nil)
        #expect(book[PolicyReference(name: "default", version: 2)] == nil)
        #expect(book[PolicyReference(name: "default", version: 0)] == nil)
    }

    @Test func aVersionDecidesOnlyWhenItIsActivated() throws {
        var book = try book()
        let next = try book.next("default", Policy(review: 0.2, block: 0.3), after: nil)
        #expect(next.version == 2)
        book.add(next)
        #expect(book.active("default", for: nil)?.version == 1)
        book.activate(.init(policy: "default", version: 2, tenant: "shop"))
        #expect(book.active("default", for: "shop")?.version == 2)
        #expect(book.active("default", for: nil)?.version == 1)
        book.activate(.init(policy: "default", version: 2, tenant: nil))
        #expect(book.active("default", for: "forum")?.version == 2)
        // Going back is an activation like any other.
        book.activate(.init(policy: "default", version: 1, tenant: nil))
        #expect(book.active("default", for: "forum")?.version == 1)
        #expect(book.activations(of: "default").map(\.tenant) == [nil, "shop"])
        // A new name decides at once for who asks for it.
        book.add(try book.next("new", Policy(review: 0.2, block: 0.3), after: nil))
        #expect(book.active("new", for: "shop")?.version == 1)
    }

    @Test func equalPoliciesHaveEqualDigests() throws {
        let one = try PolicyVersion("a", 1, Policy(review: 0.5, block: 0.9, clauses: []), evidence: [])
        let same = try PolicyVersion("b", 7, Policy(review: 0.5, block: 0.9), evidence: [])
        let other = try PolicyVersion("a", 1, Policy(review: 0.5, block: 0.91), evidence: [])
        #expect(one.digest == same.digest && one.digest != other.digest)
        #expect(one.digest.hasPrefix("sha256:") && one.digest.utf8.count == 71)
    }

    @Test func aChangeThatComesTooLateIsRefused() throws {
        var book = try book()
        let first = try #require(book.active("default", for: nil)?.digest)
        book.add(try book.next("default", Policy(review: 0.2, block: 0.3), after: first))
        let error = refusal { () throws(WireError) in
            _ = try book.next("default", Policy(review: 0.3, block: 0.4), after: first)
        }
        #expect(error?.status == .preconditionFailed && error?.code == "policy_changed")
        let activation = PolicyBook.Activation(policy: "default", version: 2, tenant: nil)
        #expect(refusal { () throws(WireError) in try book.check(activation, after: first) } == nil)
        book.activate(activation)
        #expect(
            refusal { () throws(WireError) in try book.check(activation, after: first) }?.status == .preconditionFailed)
    }

    @Test(
        arguments: [
            ("a b", Policy(review: 0.1, block: 0.2), "name"),
            ("", Policy(review: 0.1, block: 0.2), "name"),
            ("x", Policy(review: 0.3, block: 0.2), "review <= block"),
            (
                "x", Policy(review: 0.1, block: 0.2, clauses: [.init(if: ["signer": ["me"]], atLeast: .block)]),
                "clauses[0]"
            ),
            (
                "x", Policy(review: 0.1, block: 0.2, shadow: [.init(name: "x", version: 1)]),
                "'x@1', which does not exist"
            ),
            (
                "x",
                Policy(review: 0.1, block: 0.2, shadow: Array(repeating: .init(name: "strict", version: 1), count: 2)),
                "each once"
            ),
        ] as [(String, Policy, String)])
    func invalidPoliciesAreRefusedByTheNameOfTheField(name: String, policy: Policy, message: String) throws {
        let book = try book()
        let error = refusal { () throws(WireError) in _ = try book.next(name, policy, after: nil) }
        #expect(error?.status == .unprocessable && error?.code == "policy_invalid")
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test func activationsOfWhatDoesNotExistAreRefused() throws {
        let book = try book()
        for (name, version) in [("none", 1), ("default", 2), ("default", 0), ("default", -1)] {
            let error = refusal { () throws(WireError) in
                try book.check(.init(policy: name, version: version, tenant: nil), after: nil)
            }
            #expect(error?.code == "unknown_policy")
        }
    }

    // MARK: Restarts

    private func restored(_ ensemble: Ensemble, _ stored: inout [PolicyBook.Stored]) throws -> PolicyBook {
        var book = try PolicyBook(ensemble, restoring: stored)
        for entry in book.additions(from: ensemble, after: stored) {
            stored.append(PolicyBook.Stored(entry: entry, isOfFile: true))
            switch entry {
            case .version(let name, let policy): book.add(try book.next(name, policy, after: nil))
            case .activation(let activation): book.activate(activation)
            }
        }
        return book
    }

    @Test func anEditedFileDecidesAfterARestartUnlessAnotherVersionWasActivated() throws {
        var stored: [PolicyBook.Stored] = []
        var book = try restored(Sample.ensemble(), &stored)
        #expect(book.active("default", for: nil)?.version == 1)
        // Nothing is added when the file is as it was.
        let count = stored.count
        _ = try restored(Sample.ensemble(), &stored)
        #expect(stored.count == count)
        // The edited file is version 2, and decides.
        book = try restored(Sample.ensemble(review: 0.6), &stored)
        #expect(book.active("default", for: nil)?.version == 2)
        #expect(book.active("default", for: nil)?.policy.review == 0.6)
        // An operator activates version 1; another edit is stored and does not decide.
        stored.append(
            PolicyBook.Stored(entry: .activation(.init(policy: "default", version: 1, tenant: nil)), isOfFile: false))
        book = try restored(Sample.ensemble(review: 0.7), &stored)
        #expect(book.versions(of: "default")?.count == 3)
        #expect(book.active("default", for: nil)?.version == 1)
    }

    @Test func policiesSurviveTheirStoredForm() throws {
        let policy = Policy(
            review: 0.25, block: 0.75, noFace: .block, degraded: .review,
            clauses: [.init(if: ["provenance.claim": ["ai_generated"]], atLeast: .review, reason: "said")],
            shadow: [.init(name: "strict", version: 1)], record: .required)
        let bytes = CanonicalJSON.encode(policy)
        #expect(try CanonicalJSON.decode(Policy.self, from: bytes) == policy)
        #expect(String(decoding: bytes, as: UTF8.self).contains(#""record":"required""#))
    }

    @Test func aShadowThatIsMissingIsNamed() throws {
        #expect(try book().missingShadow == nil)
        let shadow = PolicyReference(name: "strict", version: 2)
        let missing = try book(Sample.ensemble(shadow: [shadow])).missingShadow
        #expect(missing?.shadow == shadow && missing?.of == PolicyReference(name: "default", version: 1))
    }

    @Test(arguments: ["strict", "strict@", "@1", "strict@0", "strict@x", "strict@1@2", ""])
    func whatIsNoReferenceIsRefused(text: String) {
        #expect(PolicyReference(text) == nil)
    }
}
