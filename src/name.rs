//! Names of people, affiliates and merchants, as they stand in lines of mails and pages.

/// What is said of a name that is not one line.
pub(crate) const NOT_ONE_LINE: &str = "a name is one line, without marks that turn the direction of writing";

/// Whether this can stand as a name in a line of a mail or a page, and reads there as it is written.
pub(crate) fn is_one_line(name: &str) -> bool {
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    !name.trim().chars().any(|c| c.is_control() || turns(c))
}
