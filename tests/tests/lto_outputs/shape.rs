//! The shape of an output: its lines, where values that are a library's own, of a moment or by chance are masked.

use std::sync::LazyLock;

use regex::Regex;

/// What drives, media or the moment decide, by its name: a key of JSON or the first cell of a table's row.
static OWN: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        "^(.*uuid|.*ctime|media-set-name|vendor|model|product|revision|.*serial.*|element_address\
         |manufactured|block-number|bytes-.*|medium-.*|volume-.*|last-.*|lifetime-.*|.*-passes|total-.*|value)$",
    )
});

/// What may stand anywhere in a line, and what is written for it.
static MASKS: LazyLock<[(Regex, &str); 11]> = LazyLock::new(|| {
    [
        (regex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
        (regex("([0-9a-f]{2}:){7,31}[0-9a-f]{2}"), "FINGERPRINT"),
        (regex(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}"), "TIME"),
        (regex(r"\d+(\.\d+)? ([KMG]i?)?B(/s)?\b"), "SIZE"),
        (regex(r#"/dev/emulated/\w+\.sg|emulated:[^\s│"]+"#), "PATH"),
        (regex("^(Vendor|Product|Revision): .*|(Serial): .*"), "$1$2: …"),
        (regex(r"^(\d+\|[^|]+)\|.*"), "$1|…"),
        (regex("([─═ ])[─═ ]+"), "$1"),
        // Vendor, model and serial number, which end the rows of drives and changers.
        (regex("(│ PATH │( lib24 │)?) .*"), "$1"),
        // Chunks come as they are read: which of them is the first that does not fit differs.
        (regex(r"^(wrote|register) \d+ chunks"), "$1 N chunks"),
        (regex(" +$"), ""),
    ]
});

/// A key of JSON, or none, and the object or list that begins, the value, or an end.
static PIECE: LazyLock<Regex> = LazyLock::new(|| {
    let text = r#""(?:[^"\\]|\\.)*""#;
    regex(&format!(r#"(?:{text}\s*:\s*)?(?:{text}|[\[{{]|[^\s",:\[\]{{}}]+)|[\]}}]"#))
});

/// A key of JSON and what follows.
static MEMBER: LazyLock<Regex> = LazyLock::new(|| regex(r#"^\s*"([^"]+)"\s*:\s*(.*?),?$"#));

/// A pattern of these tests.
pub fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern")
}

/// The lines of an output, masked; JSON in pieces that don't depend on its layout; tables without lines between rows.
pub fn shape(output: &str) -> Vec<String> {
    let is_json = output.starts_with(['{', '[']);
    let lines: Vec<&str> = if is_json { pieces(output) } else { output.lines().collect() };
    lines.into_iter().filter(|line| !line.starts_with('├')).map(masked).collect()
}

fn pieces(json: &str) -> Vec<&str> {
    PIECE.find_iter(json).map(|piece| piece.as_str()).collect()
}

fn masked(line: &str) -> String {
    let line = match MEMBER.captures(line) {
        Some(member) if OWN.is_match(&member[1]) => format!("{}: …", &member[1]),
        Some(member) => format!("{}: {}", &member[1], member[2].trim()),
        None => without_own_cell(line),
    };
    MASKS.iter().fold(line, |line, (mask, name)| mask.replace_all(&line, *name).into_owned())
}

/// A row of a table, unless its value is a library's own: name and value, or number, name and value of an attribute.
fn without_own_cell(line: &str) -> String {
    let cells: Vec<&str> = line.split('│').map(str::trim).collect();
    match cells[..] {
        ["", name, _, ""] if OWN.is_match(name) => format!("│ {name} │ … │"),
        ["", id, name, _, ""] if id.parse::<u16>().is_ok() => format!("│ {id} │ {name} │ … │"),
        _ => line.to_owned(),
    }
}

/// The elements of a list of flat objects, each in one piece.
pub fn elements(pieces: Vec<String>) -> Vec<String> {
    let pieces: Vec<String> =
        pieces.into_iter().filter(|piece| !["[", "]", "{"].contains(&&**piece)).collect();
    pieces.split(|piece| piece == "}").map(|element| element.join(" ")).collect()
}
