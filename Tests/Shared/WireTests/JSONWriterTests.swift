import FoundationEssentials
import TestKit
import Testing

@testable import BifronsWire

struct JSONWriterTests {
    private func number(_ value: Double, decimals: Int = 6) -> String {
        var json = JSONWriter()
        json.number(value, decimals: decimals)
        return json.bytes.text
    }

    private func string(_ value: String) -> String {
        var json = JSONWriter()
        json.string(value)
        return json.bytes.text
    }

    @Test(
        arguments: [
            (0, "0"), (-0.0, "0"), (1, "1"), (-1, "-1"), (0.5, "0.5"), (1e-7, "0"), (-1e-7, "0"), (5e-7, "0.000001"),
            (0.123456789, "0.123457"), (-0.123456789, "-0.123457"), (0.000001, "0.000001"), (0.1, "0.1"),
            (0.100001, "0.100001"), (0.9999999, "1"), (0.999999, "0.999999"), (123_456.789, "123456.789"),
            (999_999_999, "999999999"), (-42.25, "-42.25"),
        ] as [(Double, String)]) func numbersAreWrittenShortAndWithoutAnExponent(value: Double, text: String)
    {
        #expect(number(value) == text)
    }

    @Test func numbersAreRoundedToTheRequestedDecimals() {
        #expect(number(9.87654321, decimals: 3) == "9.877")
        #expect(number(9.87654321, decimals: 0) == "10")
        #expect(number(0.0004, decimals: 3) == "0")
        #expect(number(12.100, decimals: 3) == "12.1")
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity]) func nonFiniteNumbersBecomeNull(value: Double) {
        #expect(number(value) == "null")
    }

    @Test(arguments: [1e9, 1e10, 1e15, 1e16, 1e22, 1e300, -1e300, .greatestFiniteMagnitude])
    func hugeNumbersAreReadBack(value: Double) throws {
        #expect(try JSONDecoder().decode([Double].self, from: Data("[\(number(value))]".utf8)) == [value])
    }

    @Test func randomNumbersAreReadBackToTheLastDecimal() throws {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<5000 {
            let value = Double.random(in: -1000...1000, using: &random)
            let read = try #require(Double(number(value)))
            #expect(abs(read - value) <= 0.5000001e-6)
        }
    }

    @Test func stringsAreEscapedWhereTheyMustBe() {
        #expect(string("") == #""""#)
        #expect(string(#"a"b\c/d"#) == #""a\"b\\c/d""#)
        #expect(string("\u{0}\u{8}\t\n\u{1f} \u{7f}") == #""\u0000\u0008\u0009\u000a\u001f "# + "\u{7f}\"")
        #expect(string("é漢😀\u{2028}") == "\"é漢😀\u{2028}\"")
    }

    @Test func charactersBelowU3000AreReadBack() throws {
        var text = ""
        for value in UInt32(0)..<0x3000 { text.unicodeScalars.append(Unicode.Scalar(value)!) }
        #expect(try JSONDecoder().decode([String].self, from: Data("[\(string(text))]".utf8)) == [text])
    }

    @Test func commasAreWrittenOnlyBetweenValues() {
        var json = JSONWriter()
        json.object { json in
            json.key("a")
            json.array([1, 2, 3]) { $0.integer($1) }
            json.key("b")
            json.object { _ in }
            json.key(escaping: "c\"")
            json.array([true, false]) { $0.boolean($1) }
            json.key("d")
            json.raw(Array("null".utf8))
            json.key("e")
            json.array([[Int](), [7]]) { json, inner in json.array(inner) { $0.integer($1) } }
            json.key("f")
            json.hexadecimal([0x00, 0x9A, 0xFF])
        }
        #expect(
            json.bytes.text == #"{"a":[1,2,3],"b":{},"c\"":[true,false],"d":null,"e":[[],[7]],"f":"009aff"}"#)
    }
}
