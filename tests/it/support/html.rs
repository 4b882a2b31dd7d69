//! Just enough reading of our own pages: forms with their fields, and the text that people see.

use std::collections::BTreeMap;

/// A form as the page has it.
#[derive(Debug, Clone)]
pub struct Form {
    /// Hidden fields and what is filled in already; buttons with a name are not among them.
    pub fields: Vec<(String, String)>,
}

impl Form {
    /// The form's fields with these set, or added.
    pub fn filled(&self, fill: &[(&str, &str)]) -> Vec<(String, String)> {
        let kept = self.fields.iter().filter(|(name, _)| !fill.iter().any(|(filled, _)| filled == name)).cloned();
        kept.chain(fill.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).collect()
    }

    /// What a field holds.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// The first form with this action.
pub fn form(page: &str, action: &str) -> Option<Form> {
    page.split("<form").skip(1).find_map(|rest| {
        let inside = rest.split("</form>").next().unwrap_or_default();
        let (head, inside) = inside.split_once('>')?;
        (attributes(head).get("action").map(String::as_str) == Some(action)).then(|| Form { fields: fields(inside) })
    })
}

fn fields(form: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut select: Option<String> = None;
    for tag in form.split('<').skip(1) {
        let (tag, after) = tag.split_once('>').unwrap_or((tag, ""));
        let (kind, rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        let attributes = attributes(rest);
        let name = attributes.get("name").cloned();
        let value = attributes.get("value").cloned().unwrap_or_default();
        match kind {
            "input" => {
                let box_like = matches!(attributes.get("type").map(String::as_str), Some("checkbox" | "radio"));
                let sent = !attributes.contains_key("disabled") && (!box_like || attributes.contains_key("checked"));
                if let Some(name) = name.filter(|_| sent) {
                    fields.push((name, value));
                }
            }
            "textarea" => fields.extend(name.map(|name| (name, unescape(after)))),
            "select" => select = name,
            "option" if attributes.contains_key("selected") => {
                fields.extend(select.clone().map(|select| (select, value)));
            }
            _ => {}
        }
    }
    fields
}

/// `name="value"`, `name=value` and `name`.
fn attributes(tag: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = tag.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let name = rest[..end].to_lowercase();
        rest = &rest[end..];
        let mut value = "";
        if let Some(given) = rest.strip_prefix('=') {
            let quoted = given.strip_prefix('"');
            let text = quoted.unwrap_or(given);
            let end = if quoted.is_some() { text.find('"') } else { text.find(char::is_whitespace) };
            let end = end.unwrap_or(text.len());
            value = &text[..end];
            rest = text[end..].trim_start_matches('"');
        }
        found.insert(name, unescape(value));
        rest = rest.trim_start();
    }
    found
}

/// The words of a page without its tags, with single spaces.
pub fn text(page: &str) -> String {
    let page = page.replace("<wbr>", ""); // a place to break a line, within a word
    let words: String = page.split('<').map(|tag| tag.split_once('>').map_or(tag, |(_, text)| text)).fold(
        String::new(),
        |mut all, text| {
            all.push(' ');
            all.push_str(text);
            all
        },
    );
    unescape(&words.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn unescape(text: &str) -> String {
    [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}
