import Hexadecimal
import Testing

@Suite struct HexadecimalTests {
    @Test func everyByteIsTwoLowerCaseDigitsAndIsReadBack() {
        for byte in UInt8.min ... .max {
            let digits = [byte].hexadecimal
            #expect(digits.utf8.count == 2)
            #expect(UInt8(digits, radix: 16) == byte)
            #expect(digits == digits.lowercased())
            #expect([UInt8](hexadecimal: digits) == [byte])
            #expect([UInt8](hexadecimal: digits.uppercased()) == [byte])
        }
        #expect([0x00, 0x9A, 0xFF].hexadecimal == "009aff")
        #expect([UInt8](hexadecimal: "") == [])
    }

    @Test(arguments: ["0", "000", "0g", "0 ", "é0", "\u{FF10}0"])
    func invalidHexadecimalTextIsRefused(_ text: String) {
        #expect([UInt8](hexadecimal: text) == nil)
    }
}
