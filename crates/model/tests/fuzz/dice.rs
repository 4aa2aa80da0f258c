//! A generator that gives the same mutations every time.

/// Pieces that change what a text means more than a random byte does.
const PIECES: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "${",
    "{{",
    "}}",
    "`",
    "'",
    "\"",
    "\\",
    "=>",
    "?.",
    "??",
    " ? ",
    " : ",
    ",",
    "...",
    "+",
    "-",
    "*",
    "**",
    "%",
    "==",
    "<",
    "!",
    "&&",
    " in ",
    ".0",
    "9223372036854775807",
    "1e308",
    "-1",
    "0",
    "null",
    "true",
    "é",
    "😀",
    "\u{0}",
    "\u{2028}",
    "\n",
    " ",
    "steps",
    ".a.output",
    "inputs",
    ".map(x => ",
    ".reduce((a, x) => ",
    ".repeat(9e9)",
    ".flat(9)",
    ".split('')",
    "range(0, 99999)",
    "JSON.parse(",
    "matches(",
    ".sort()",
    ".length",
    ".slice(-",
    "default(",
    "now()",
    "- ",
    ": ",
    "\n  ",
    "*a",
    "&a ",
    "!!str ",
    "|\n",
];

/// SplitMix64.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % bound.max(1) as u64).unwrap()
    }

    /// A place in a text, at the border of two characters.
    fn place(&mut self, text: &str) -> usize {
        let at = self.below(text.len() + 1);
        (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap()
    }

    fn range(&mut self, text: &str) -> (usize, usize) {
        let (a, b) = (self.place(text), self.place(text));
        (a.min(b), a.max(b))
    }

    /// `text` changed once: something cut, repeated, put in, or taken over from another seed.
    pub fn mutated(&mut self, text: &str, seeds: &[String]) -> String {
        let (from, to) = self.range(text);
        let (before, within, after) = (&text[..from], &text[from..to], &text[to..]);
        match self.below(7) {
            0 => format!("{before}{after}"),
            1 => format!("{before}{}{after}", within.repeat(2 + self.below(3))),
            2 | 3 => format!("{before}{}{}{after}", PIECES[self.below(PIECES.len())], within),
            4 => format!("{before}{}{after}", PIECES[self.below(PIECES.len())]),
            5 => {
                let other = &seeds[self.below(seeds.len())];
                let (from, to) = self.range(other);
                format!("{before}{}{after}", &other[from..to])
            }
            _ => {
                let other = &seeds[self.below(seeds.len())];
                format!("{before}({other}){after}")
            }
        }
    }
}
