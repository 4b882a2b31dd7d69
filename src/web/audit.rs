//! `/audit`: who did what, when and from where, and whether the chain of it is whole.

use super::error::Result;
use super::page::{Frame, Section, page};
use super::pages::{PAGE, address, cut, grouped, place};
use super::when::{When, read_day, when};
use super::{Query, Routes, Signed, export};
use crate::app::App;
use crate::commission::Place;
use crate::people::{self, Member};
use crate::role::Role;
use crate::trail::{self, Checked, Entry, Object, Wanted};
use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::stream;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

const AUDIT: &str = "/audit";
/// Entries in one portion of the export.
const PORTION: i64 = 5000;
/// Characters of one value on the page; the export has all of it.
const SHOWN: usize = 160;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get(Role::Admin, AUDIT, index).get(Role::Admin, "/audit.csv", export_csv)
}

/// The query of the list, all of it optional.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    person: String,
    action: String,
    object: String,
    from: String,
    through: String,
    /// The chain is to be checked, too.
    check: String,
    after: Option<i64>,
    before: Option<i64>,
}

impl Asked {
    fn wanted(&self, signed: &Signed) -> Wanted {
        Wanted {
            person: self.person.parse().ok(),
            action: self.action.clone(),
            object: self.object.clone(),
            from: read_day(&self.from),
            through: read_day(&self.through),
            zone: signed.time_zone.clone(),
        }
    }

    fn is_narrowed(&self) -> bool {
        let fields = [&self.person, &self.action, &self.object, &self.from, &self.through];
        fields.iter().any(|text| !text.trim().is_empty())
    }

    /// The address of the same list with something beside.
    fn address(&self, path: &str, beside: (&str, &str)) -> String {
        let kept = [
            ("person", self.person.as_str()),
            ("action", self.action.trim()),
            ("object", self.object.trim()),
            ("from", &self.from),
            ("through", &self.through),
        ];
        address(path, &[&kept[..], &[beside]].concat())
    }
}

/// One entry as the page shows it.
struct Row {
    entry: Entry,
    at: When,
    object: Object,
    changes: Vec<String>,
}

impl Row {
    fn number(&self) -> String {
        grouped(self.entry.number)
    }

    /// Everything that was done to the same.
    fn of_this(&self) -> String {
        address(AUDIT, &[("object", &self.entry.object)])
    }
}

#[derive(Template)]
#[template(path = "settings/audit.html", blocks = ["results"])]
struct Index {
    frame: Frame,
    asked: Asked,
    members: Vec<Member>,
    rows: Vec<Row>,
    checked: Option<Checked>,
    previous: String,
    next: String,
}

impl Index {
    fn export(&self) -> String {
        self.asked.address("/audit.csv", ("", ""))
    }

    fn check(&self) -> String {
        self.asked.address(AUDIT, ("check", "yes"))
    }

    fn is_person(&self, member: &Member) -> bool {
        self.asked.person == member.id.to_string()
    }

    fn grouped(&self, number: &i64) -> String {
        grouped(*number)
    }
}

async fn index(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let place = place(asked.after, asked.before);
    let mut entries = trail::list(&mut tx, &asked.wanted(&signed), place, PAGE + 1).await?;
    let (before, behind) = cut(&mut entries, place, |entry| entry.number);
    let called: BTreeSet<String> = entries.iter().map(|entry| entry.object.clone()).collect();
    let objects = trail::objects(&mut tx, &called.into_iter().collect::<Vec<_>>()).await?;
    let checked = if asked.check.is_empty() { None } else { Some(trail::check(&mut tx).await?) };
    let members = people::members(&mut tx).await?;
    let beside = |name: &str, number: Option<i64>| {
        number.map(|number| asked.address(AUDIT, (name, &number.to_string()))).unwrap_or_default()
    };
    let template = Index {
        frame: signed.frame(Section::Settings),
        members,
        rows: entries.into_iter().map(|entry| row(entry, &objects, &signed.time_zone)).collect(),
        checked,
        previous: beside("before", before),
        next: beside("after", behind),
        asked,
    };
    if headers.contains_key("hx-request") { page(&template.as_results()) } else { page(&template) }
}

fn row(entry: Entry, objects: &HashMap<String, Object>, zone: &str) -> Row {
    let object = objects.get(&entry.object).cloned();
    Row {
        at: when(entry.at, zone),
        object: object.unwrap_or_else(|| Object { words: entry.object.clone(), page: None }),
        changes: changes(&entry.details).into_iter().map(|change| shortened(&change)).collect(),
        entry,
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What an entry says beside its action, one line a field: "role: viewer → approver" where there was something before.
fn changes(details: &Value) -> Vec<String> {
    let Some(details) = details.as_object() else { return Vec::new() };
    let mut lines: Vec<String> = details
        .iter()
        .filter(|(name, _)| !["old", "new"].contains(&name.as_str()))
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| format!("{}: {}", name.replace('_', " "), words(value)))
        .collect();
    let Some(new) = details.get("new") else { return lines };
    let old = details.get("old").unwrap_or(&Value::Null);
    let fields: BTreeSet<&String> =
        [old, new].iter().filter_map(|side| side.as_object()).flat_map(|o| o.keys()).collect();
    for field in fields {
        let (was, is) = (&old[field], &new[field]);
        let field = field.replace('_', " ");
        if old.is_null() && !is.is_null() {
            lines.push(format!("{field}: {}", words(is)));
        } else if was != is {
            lines.push(format!("{field}: {} → {}", words(was), words(is)));
        }
    }
    lines
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

const HEADING: [&str; 8] = ["Entry", "Time", "Person", "From address", "Action", "Object", "Change", "Hash"];

async fn export_csv(State(app): State<App>, signed: Signed, Query(asked): Query<Asked>) -> Response {
    let name = format!("audit-{}.csv", signed.today(&app));
    let portions = stream::try_unfold(Some(Place::Start), move |place| {
        let (app, signed, wanted) = (app.clone(), signed.clone(), asked.wanted(&signed));
        async move {
            let Some(place) = place else { return Ok(None) };
            let entries = trail::list(&mut signed.tx(&app).await?, &wanted, place, PORTION).await?;
            let next = entries.last().map(|last| Place::After(last.number));
            let lines = entries.into_iter().map(|entry| line(entry, &signed.time_zone)).collect();
            Ok::<_, sqlx::Error>(next.map(|next| (lines, Some(next))))
        }
    });
    export::csv(&name, &HEADING, portions)
}

fn line(entry: Entry, zone: &str) -> export::Line {
    vec![
        entry.number.to_string(),
        when(entry.at, zone).full,
        entry.person.unwrap_or_else(|| "Stipend".to_owned()),
        entry.address.unwrap_or_default(),
        entry.action,
        entry.object,
        changes(&entry.details).join("; "),
        hex::encode(entry.hash),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_is_told_as_before_and_after() {
        let details = json!({
            "email": "a@b.co",
            "old": { "role": "viewer", "active": true, "same": 1 },
            "new": { "role": "admin", "active": false, "same": 1, "paypal_email": "x@y.z" },
            "nothing": null,
        });
        assert_eq!(
            changes(&details),
            ["email: a@b.co", "active: yes → no", "paypal email: none → x@y.z", "role: viewer → admin"]
        );
        assert_eq!(changes(&json!({ "old": null, "new": { "on": true, "text": null } })), ["on: yes"]);
        assert_eq!(changes(&json!({})), [""; 0]);
    }
}
