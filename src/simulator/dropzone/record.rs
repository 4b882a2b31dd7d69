//! One line of comma separated values, as strictly as RFC 4180 writes them. PayPal's documents know no record of
//! several lines, so a quote that is open at the end of a line is an error.

use std::borrow::Cow;

/// The fields of a line, or `None` when its quotes are wrong.
pub fn fields(line: &str) -> Option<Vec<Cow<'_, str>>> {
    if !line.contains('"') {
        return Some(line.split(',').map(Cow::Borrowed).collect());
    }
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (Cow::Borrowed(&rest[..end]), &rest[end..])
            }
        };
        if field.contains('"') && matches!(field, Cow::Borrowed(_)) {
            return None;
        }
        fields.push(field);
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.is_empty() => return Some(fields),
            None => return None,
        }
    }
}

/// A field whose opening quote was read, and what follows its closing one.
fn quoted_field(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut unquoted: Option<String> = None;
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        let (part, after) = (&rest[..end], &rest[end + 1..]);
        match (after.strip_prefix('"'), &mut unquoted) {
            (Some(more), text) => {
                let text = text.get_or_insert_default();
                text.push_str(part);
                text.push('"');
                rest = more;
            }
            (None, None) => return Some((Cow::Borrowed(part), after)),
            (None, Some(text)) => {
                text.push_str(part);
                return Some((Cow::Owned(std::mem::take(text)), after));
            }
        }
    }
}

/// A field as it is written: in quotes when it must be.
pub fn written(field: &str) -> Cow<'_, str> {
    match [',', '"', '\n', '\r'].into_iter().any(|sign| field.contains(sign)) {
        true => Cow::Owned(format!("\"{}\"", field.replace('"', "\"\""))),
        false => Cow::Borrowed(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_those_of_the_standard() {
        let good: [(&str, &[&str]); 7] = [
            ("a,b", &["a", "b"]),
            ("", &[""]),
            ("a,", &["a", ""]),
            (r#""a,b",c"#, &["a,b", "c"]),
            (r#"a,"say ""x""","""#, &["a", r#"say "x""#, ""]),
            (r#"a,"say ""x""","""""#, &["a", r#"say "x""#, "\""]),
            (r#""",x"#, &["", "x"]),
        ];
        for (line, expected) in good {
            assert_eq!(fields(line).expect(line), expected, "{line}");
        }
        for bad in [r#"a"b,c"#, r#""a"b,c"#, r#""a"#, r#"a,"b"#, r#""a" ,b"#, r#" "a",b"#] {
            assert_eq!(fields(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_was_written_is_read_again() {
        for field in ["a", "", "a,b", "\"", "say \"x\", you", " a "] {
            assert_eq!(fields(&written(field)).unwrap(), [field]);
        }
    }
}
