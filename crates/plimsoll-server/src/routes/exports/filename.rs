//! Names that an app gives to the files of its users.
//!
//! Promises: what passes is one name of a file and looks like what it is; how it is written into a
//! header is the business of [`super::attachment`].
//! Never: a name changed in silence.

/// As most file systems allow.
const NAME_BYTES_MAX: usize = 255;

/// Whether it may be the name of a file; else why not.
pub(super) fn check(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(format!("has {} bytes; it has 1 to {NAME_BYTES_MAX}", name.len()));
    }
    if name.contains(['/', '\\']) {
        return Err("has a slash; it is the name of a file, without folders".to_owned());
    }
    if name.contains(|c: char| c.is_control() || turns_text(c)) {
        return Err("has a character that is not shown, such as a line break".to_owned());
    }
    if name.starts_with('.') || name.ends_with('.') || name.trim() != name {
        return Err("begins or ends with a dot or a space".to_owned());
    }
    Ok(())
}

/// Marks of direction (Unicode, UAX 9) and characters without a width: with them a name shows
/// another ending than it has.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}')
        || matches!(c, '\u{2060}'..='\u{206f}')
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::routes::export::attachment;

    #[test]
    fn a_name_is_one_name_and_looks_like_what_it_is() {
        for good in ["a", "b.csv", "Auftr\u{e4}ge 2026; \"neu\".csv", &"x".repeat(255)] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let long = "x".repeat(256);
        for bad in [
            "",
            ".",
            "..",
            ".htaccess",
            "../a",
            "a/b",
            "a\\b",
            "a\r\nb",
            "a\0",
            " a",
            "a.",
            "\u{85}",
            "gpj\u{202e}.exe",
            "a\u{200b}b",
            &long,
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_header_holds_every_name_that_passes_and_nothing_beside_it() {
        let text = |name| attachment(name).to_str().expect("ASCII").to_owned();
        assert_eq!(
            text("a\"; x=\u{e4}%.csv"),
            "attachment; filename=\"a___x___.csv\"; filename*=UTF-8''a%22%3B%20x%3D%C3%A4%25.csv"
        );
        assert_eq!(text("a.csv"), "attachment; filename=\"a.csv\"; filename*=UTF-8''a.csv");
    }
}
