/// The hand-drawn letters of labels, five pixels wide and seven high.
enum Glyphs {
    static let width = 5
    static let height = 7

    /// Returns the rows of a character, one bit per pixel with the leftmost highest; nil for characters that labels do
    /// not use.
    static func rows(of character: Character) -> [UInt8]? { table[character] }

    private static let table: [Character: [UInt8]] = {
        var table: [Character: [UInt8]] = [" ": Array(repeating: 0, count: height)]
        let names = Array("0123456789AI%.acefnort°-")
        for (index, name) in names.enumerated() {
            table[name] = sheet[(index / 7 * height)..<(index / 7 + 1) * height].map { line in
                line.split(separator: " ")[index % 7].reduce(0) { $0 << 1 | ($1 == "#" ? 1 : 0) }
            }
        }
        return table
    }()

    /// The characters, seven per row of the sheet, in the order of `names`.
    private static let sheet: [String] = [
        // 0 1 2 3 4 5 6
        ".###. ..#.. .###. .###. ...#. ##### ..##.",
        "#...# .##.. #...# #...# ..##. #.... .#...",
        "#..## ..#.. ....# ....# .#.#. ####. #....",
        "#.#.# ..#.. ...#. ..##. #..#. ....# ####.",
        "##..# ..#.. ..#.. ....# ##### ....# #...#",
        "#...# ..#.. .#... #...# ...#. #...# #...#",
        ".###. .###. ##### .###. ...#. .###. .###.",
        // 7 8 9 A I % .
        "##### .###. .###. .###. .###. ##..# .....",
        "....# #...# #...# #...# ..#.. ##..# .....",
        "...#. #...# #...# #...# ..#.. ...#. .....",
        "..#.. .###. .#### ##### ..#.. ..#.. .....",
        ".#... #...# ....# #...# ..#.. .#... .....",
        ".#... #...# ...#. #...# ..#.. #..## .##..",
        ".#... .###. .##.. #...# .###. #..## .##..",
        // a c e f n o r
        "..... ..... ..... ..##. ..... ..... .....",
        "..... ..... ..... .#..# ..... ..... .....",
        ".###. .###. .###. .#... #.##. .###. #.##.",
        "....# #.... #...# ###.. ##..# #...# ##..#",
        ".#### #.... ##### .#... #...# #...# #....",
        "#...# #...# #.... .#... #...# #...# #....",
        ".#### .###. .###. .#... #...# .###. #....",
        // t ° -
        "..... .##.. .....",
        ".#... #..#. .....",
        "####. #..#. .....",
        ".#... .##.. .###.",
        ".#... ..... .....",
        ".#..# ..... .....",
        "..##. ..... .....",
    ]
}
