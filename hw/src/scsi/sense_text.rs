//! Names of additional sense codes, for messages.

/// What a code and its qualifier mean, in words; the numbers themselves where nobody gave them a name.
pub fn describe(asc: u8, ascq: u8) -> String {
    let named = TEXTS.binary_search_by_key(&(asc, ascq), |(asc, ascq, _)| (*asc, *ascq));
    match named {
        Ok(index) => TEXTS[index].2.to_owned(),
        Err(_) => format!("additional sense code {asc:02X}/{ascq:02X}"),
    }
}

/// Code, qualifier, words; ascending.
const TEXTS: &[(u8, u8, &str)] = &[
    (0x00, 0x01, "Filemark detected"),
    (0x00, 0x02, "End of partition or medium detected"),
    (0x3A, 0x00, "Medium not present"),
];
