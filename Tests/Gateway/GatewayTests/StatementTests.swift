import FoundationEssentials
import Testing

@testable import Gateway

/// Drafts of statements of reasons, against the rules of the database's request.
@Suite struct StatementTests {
    private static let decision = """
        {"id":"00c0ffee00c0ffee","sequence":7,"time":"2026-12-01T10:54:31.749Z","tenant":"shop",
         "body":{"action":"ACTION","degraded":false,"faces_found":2,"label":"ai_generated",
                 "models":[{"name":"resnet","status":200,"version":"2.4.0"},{"name":"inception","status":503}],
                 "policy":"default","policy_version":3,"probability":"3feeb851eb851eb8","reasons":["known"],
                 "regions":[{"face":true},{"face":true}],"release":"0.1.0"},
         "personal":{"subject":{"type":"user","id":"ann@example.org"},"request":"her request","sha256":"0a0b"}}
        """

    private func record(_ action: String = "block", _ change: (String) -> String = { $0 }) throws -> DecisionRecord {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let text = change(Self.decision.replacing("ACTION", with: action))
        return try decoder.decode(DecisionRecord.self, from: Data(text.utf8))
    }

    /// The fields of a statement, each a text or a list of texts.
    private func fields(_ statement: Statement) throws -> [String: Field] {
        try JSONDecoder().decode([String: Field].self, from: try JSONEncoder().encode(statement))
    }

    private struct Field: Decodable {
        var texts: [String]
        var isList: Bool

        init(from decoder: any Decoder) throws {
            let single = try decoder.singleValueContainer()
            if let text = try? single.decode(String.self) {
                (texts, isList) = ([text], false)
            } else {
                (texts, isList) = (try single.decode([String].self), true)
            }
        }
    }

    /// What each field may be, by the validation of the database's request.
    private static let rules: [String: (isList: Bool, values: String, most: Int)] = [
        "decision_visibility": (true, #"DECISION_VISIBILITY_CONTENT_(REMOVED|DISABLED|DEMOTED)"#, 100),
        "decision_ground": (false, #"DECISION_GROUND_(ILLEGAL|INCOMPATIBLE)_CONTENT"#, 100),
        "incompatible_content_ground": (false, #".+"#, 500),
        "incompatible_content_explanation": (false, #".+"#, 2000),
        "incompatible_content_illegal": (false, #"Yes|No"#, 3),
        "content_type": (true, #"CONTENT_TYPE_(IMAGE|SYNTHETIC_MEDIA)"#, 100),
        "category": (false, #"STATEMENT_CATEGORY_[A-Z_]+"#, 100),
        "content_date": (false, #"\d{4}-\d{2}-\d{2}"#, 10),
        "application_date": (false, #"\d{4}-\d{2}-\d{2}"#, 10),
        "decision_facts": (false, #".+"#, 5000),
        "source_type": (false, #"SOURCE_VOLUNTARY"#, 100),
        "automated_detection": (false, #"Yes|No"#, 3),
        "automated_decision": (false, #"AUTOMATED_DECISION_(FULLY|PARTIALLY|NOT_AUTOMATED)"#, 100),
        "puid": (false, #"[a-zA-Z0-9_-]+"#, 500),
    ]

    @Test(arguments: Statement.categories) func everyDraftFollowsTheRules(category: String) throws {
        #expect(Statement.categories.count == 16)
        let statement = try #require(Statement(try record(), Statement.Options(category: category)))
        let fields = try fields(statement)
        #expect(Set(fields.keys) == Set(Self.rules.keys))
        for (name, rule) in Self.rules {
            let field = try #require(fields[name])
            #expect(field.isList == rule.isList && !field.texts.isEmpty, "\(name)")
            for text in field.texts {
                #expect(
                    try Regex(rule.values).wholeMatch(in: text) != nil && text.count <= rule.most, "\(name): \(text)")
            }
        }
        #expect(fields["category"]?.texts == [category])
    }

    @Test func theFactsSayWhatDecidedAndNothingAboutThePerson() throws {
        let statement = try #require(Statement(try record(), Statement.Options()))
        #expect(
            statement.decisionFacts
                == "Software (Bifrons 0.1.0) assessed the image without human intervention. On a scale from 0 to 1000 it "
                + "estimated 960 as the probability that the image is AI-generated, by the most suspicious of 2 assessed "
                + "faces (models: resnet 2.4.0). The image was restricted by version 3 of the policy 'default'. Clauses "
                + "of the policy that contributed: known.")
        #expect(statement.contentDate == "2026-12-01" && statement.puid == "00c0ffee00c0ffee")
        let text = String(decoding: try JSONEncoder().encode(statement), as: UTF8.self)
        for personal in ["ann@example.org", "her request", "0a0b", "user", "shop"] {
            #expect(!text.contains(personal), "\(personal)")
        }
        let faceless = try record { $0.replacing(#""probability":"3feeb851eb851eb8","#, with: "") }
        #expect(Statement(faceless, .init())?.decisionFacts.contains("It found no face in the image.") == true)
    }

    @Test(arguments: ["allow", "review"]) func onlyABlockIsARestriction(action: String) throws {
        #expect(Statement(try record(action), Statement.Options()) == nil)
    }

    @Test(
        arguments: [
            ([#"{"kind":"review","detail":{"outcome":"real","action":"block"}}"#], "AUTOMATED_DECISION_PARTIALLY"),
            ([#"{"kind":"review","detail":{"outcome":"ai_generated"}}"#], nil),
            ([#"{"kind":"review","detail":{"action":"block"}}"#, #"{"kind":"withdrawal"}"#], nil),
        ] as [([String], String?)])
    func aReviewersWordDecides(corrections: [String], automated: String?) throws {
        let list = #","corrections":[\#(corrections.joined(separator: ","))]}"#
        let statement = Statement(try record("review") { $0.dropLast() + list }, Statement.Options())
        #expect(statement?.automatedDecision == automated)
        #expect(statement?.decisionFacts.contains("a person reviewed it") != false)
        // A block that a reviewer did not confirm stands, and one that was lifted restricts nothing.
        let lifted = #","corrections":[{"kind":"review","detail":{"action":"allow"}}]}"#
        #expect(Statement(try record { $0.dropLast() + lifted }, Statement.Options()) == nil)
    }

    // MARK: Tables

    @Test func aTableQuotesWhatWouldNotBeReadBack() throws {
        let changed = Self.decision.replacing("ACTION", with: "block")
            .replacing("ann@example.org", with: #"=cmd(\"x\"), -1"#)
        let page = try DecisionPage(Array(#"{"status":200,"decisions":[\#(changed)],"next":7}"#.utf8))
        let text = String(decoding: try page.csv(), as: UTF8.self)
        #expect(text.hasPrefix("\u{FEFF}id,sequence,time,tenant,"))
        #expect(text.contains(#","'=cmd(""x""), -1","#), "\(text)")
        #expect(text.split(separator: "\r\n").count == 2 && page.next == 7)
        let lines = String(decoding: page.lines, as: UTF8.self)
        #expect(lines.replacing("\n", with: "") == changed.replacing("\n", with: ""))
    }
}
