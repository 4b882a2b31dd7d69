//! Pages of a list by key: which rows to show, and where the pages beside them begin.

use crate::commission::Place;

/// Rows on one page.
pub const PAGE: i64 = 50;

/// Cuts a list that was read with one row more than a page to that page, and gives the ids from which the pages before
/// and behind it are read.
pub fn cut<T, Id: Copy>(rows: &mut Vec<T>, place: Place<Id>, id: impl Fn(&T) -> Id) -> (Option<Id>, Option<Id>) {
    let page = usize::try_from(PAGE).expect("a page is small");
    let more = rows.len() > page;
    let (before, behind) = match place {
        Place::Start => (false, more),
        Place::After(_) => (true, more),
        Place::Before(_) => (more, true),
    };
    match place {
        Place::Before(_) => drop(rows.drain(..rows.len().saturating_sub(page))),
        Place::Start | Place::After(_) => rows.truncate(page),
    }
    (rows.first().filter(|_| before).map(&id), rows.last().filter(|_| behind).map(&id))
}

/// Where the query of an address says to begin.
pub fn place<Id>(after: Option<Id>, before: Option<Id>) -> Place<Id> {
    match (after, before) {
        (Some(after), _) => Place::After(after),
        (None, Some(before)) => Place::Before(before),
        (None, None) => Place::Start,
    }
}

/// A path with those parameters that have a value.
pub fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A count for people: "1,204".
pub fn grouped(count: i64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its word: "1 commission", "1,204 commissions".
pub fn counted(count: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_its_neighbours() {
        let read = |count: i64| (0..count).collect::<Vec<_>>();
        let mut rows = read(PAGE + 1);
        assert_eq!((cut(&mut rows, Place::Start, |row| *row), rows.len()), ((None, Some(PAGE - 1)), 50));
        let mut rows = read(3);
        assert_eq!(cut(&mut rows, Place::Start, |row| *row), (None, None));
        assert_eq!(cut(&mut rows, Place::After(9), |row| *row), (Some(0), None));
        assert_eq!(cut(&mut rows, Place::Before(9), |row| *row), (None, Some(2)));
        let mut rows = read(PAGE + 1);
        assert_eq!(cut(&mut rows, Place::Before(99), |row| *row), (Some(1), Some(PAGE)));
        assert_eq!(cut(&mut Vec::<i64>::new(), Place::After(9), |row| *row), (None, None));
    }
}
