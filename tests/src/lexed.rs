//! A Rust file taken apart: what is code, what is comment, what is text, and which lines are test code.

/// The same file three times, each with everything but its own kind blanked out. Lines keep their numbers.
#[derive(Clone, Debug, Default)]
pub struct Lexed {
    /// Code alone.
    pub code: String,
    /// Comments and documentation alone.
    pub comments: String,
    /// String and character literals alone.
    pub literals: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// Takes a file apart.
#[must_use]
pub fn lex(text: &str) -> Lexed {
    let bytes = text.as_bytes();
    let mut views = [Kind::Code, Kind::Comment, Kind::Literal].map(|kind| (kind, Vec::new()));
    let mut at = 0;
    while at < bytes.len() {
        let (kind, end) = token(bytes, at);
        for (view, out) in &mut views {
            let keep = |byte: u8| if *view == kind || byte == b'\n' { byte } else { b' ' };
            out.extend(bytes[at..end].iter().map(|byte| keep(*byte)));
        }
        at = end;
    }
    let [code, comments, literals] =
        views.map(|(_, view)| String::from_utf8_lossy(&view).into_owned());
    Lexed { code, comments, literals }
}

fn token(bytes: &[u8], at: usize) -> (Kind, usize) {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return (Kind::Comment, at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()));
    }
    if rest.starts_with(b"/*") {
        return (Kind::Comment, at + block_comment(rest));
    }
    if rest[0] == b'"' {
        return (Kind::Literal, at + quoted(rest, b'"'));
    }
    if rest[0] == b'\'' {
        return character(rest).map_or((Kind::Code, at + 1), |len| (Kind::Literal, at + len));
    }
    let in_word = at > 0 && is_word(bytes[at - 1]);
    match raw_string(rest) {
        Some(len) if !in_word => (Kind::Literal, at + len),
        _ => (Kind::Code, at + 1),
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a character literal; `None` for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    let first = *rest.get(1)?;
    if first == b'\\' {
        return Some(quoted(rest, b'\''));
    }
    let width = match first {
        0..0x80 => 1,
        0x80..0xE0 => 2,
        0xE0..0xF0 => 3,
        _ => 4,
    };
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let mut at = usize::from(matches!(rest[0], b'b' | b'c'));
    if rest.get(at) != Some(&b'r') {
        return None;
    }
    at += 1;
    let hashes = rest[at..].iter().take_while(|b| **b == b'#').count();
    at += hashes;
    if rest.get(at) != Some(&b'"') {
        return None;
    }
    at += 1;
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let inside = rest[at..].windows(close.len()).position(|window| window == close);
    Some(inside.map_or(rest.len(), |len| at + len + close.len()))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The places where `word` stands as a whole word.
pub fn words<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let bytes = text.as_bytes();
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let end = at + word.len();
        (*at == 0 || !is_word(bytes[at - 1])) && bytes.get(end).is_none_or(|b| !is_word(*b))
    })
}

/// The line, from 1, of a place in a text.
#[must_use]
pub fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count()
}

/// What `#[cfg(test)]` covers in a file.
#[derive(Clone, Debug, Default)]
pub struct TestParts {
    /// First and last line, from 1.
    pub spans: Vec<(usize, usize)>,
    /// The modules it declares without a body: other files of test code.
    pub modules: Vec<String>,
}

/// Finds what `#[cfg(test)]` covers, given the code view of a file.
#[must_use]
pub fn test_parts(code: &str) -> TestParts {
    let mut parts = TestParts::default();
    for attribute in ["#[cfg(test)]", "#[cfg(all(test"] {
        for (start, _) in code.match_indices(attribute) {
            let item = start + attribute.len();
            let Some(stop) = code[item..].find(['{', ';']).map(|at| item + at) else { continue };
            let declared = code[item..stop].rsplit_once("mod ").map(|(_, name)| name.trim());
            if let (b';', Some(name)) = (code.as_bytes()[stop], declared) {
                parts.modules.push(name.to_owned());
            }
            let end = if code.as_bytes()[stop] == b'{' { closing(code, stop) } else { stop };
            parts.spans.push((line_of(code, start), line_of(code, end)));
        }
    }
    parts
}

/// The place of the brace that closes the one at `open`.
#[must_use]
pub fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_not_code() {
        let lexed = lex("let a = \"x // y\"; // unsafe\n/* b /* c */ d */ let e = 'f';\n");
        assert_eq!(lexed.code.split_whitespace().collect::<String>(), "leta=;lete=;");
        assert_eq!(lexed.comments.trim(), "// unsafe\n/* b /* c */ d */");
        assert_eq!(lexed.literals.split_whitespace().collect::<String>(), "\"x//y\"'f'");
    }

    #[test]
    fn escapes_raw_strings_and_lifetimes_are_told_apart() {
        let code = |text: &str| lex(text).code.split_whitespace().collect::<String>();
        assert_eq!(code(r#"a("\"b\\", c)"#), "a(,c)");
        assert_eq!(code("a(r#\"b\" c\"#, br\"d\", e)"), "a(,,e)");
        assert_eq!(code("fn a<'b>(c: &'b str) -> r#type { '\\'' }"), "fna<'b>(c:&'bstr)->r#type{}");
        assert_eq!(code("'é' 'x' '→' bar\"s\""), "bar");
    }

    #[test]
    fn lines_keep_their_numbers() {
        let text = "a\n\"b\nc\"\n// d\ne\n";
        let lexed = lex(text);
        assert_eq!(lexed.code.lines().count(), text.lines().count());
        assert_eq!(line_of(&lexed.code, lexed.code.find('e').unwrap()), 5);
    }

    #[test]
    fn a_word_is_whole() {
        assert_eq!(words("unsafe_code unsafe my_unsafe unsafe{", "unsafe").count(), 2);
    }

    #[test]
    fn test_parts_end_with_their_braces() {
        let parts =
            test_parts("a\n#[cfg(test)]\nmod t {\n fn b() { }\n}\nc\n#[cfg(test)]\nmod u;\n");
        assert_eq!(parts.spans, vec![(2, 5), (7, 8)]);
        assert_eq!(parts.modules, vec!["u"]);
    }
}
