//! The parts of an item that change nothing in the bank and yet must be well-formed.

use super::request::Findings;
use serde_json::{Map, Value};

/// Checks `alternate_notification_method`, `notification_language` and `application_context`.
pub fn check(item: &Map<String, Value>, at: &str, findings: &mut Findings) {
    if let Some(language) = findings.text(item, at, "notification_language", 10)
        && !is_language(&language)
    {
        findings.refuse::<()>(&format!("{at}.notification_language"), "Language is invalid");
    }
    if let Some(context) = object(item, at, "application_context", findings) {
        let at = format!("{at}.application_context");
        for (key, max) in [("social_feed_privacy", 15), ("holler_url", 1000), ("logo_url", 1000)] {
            findings.text(context, &at, key, max);
        }
        let privacy = context.get("social_feed_privacy").and_then(Value::as_str);
        if privacy.is_some_and(|privacy| !["PRIVATE", "FRIENDS_ONLY", "PUBLIC"].contains(&privacy)) {
            findings.refuse::<()>(&format!("{at}.social_feed_privacy"), "Social feed privacy is invalid");
        }
    }
    if let Some(method) = object(item, at, "alternate_notification_method", findings) {
        let at = format!("{at}.alternate_notification_method");
        if let Some(phone) = object(method, &at, "phone", findings) {
            phone_number(phone, &format!("{at}.phone"), findings);
        }
    }
}

fn phone_number(phone: &Map<String, Value>, at: &str, findings: &mut Findings) {
    let mut length = 0;
    for (key, max, required) in
        [("country_code", 3, true), ("national_number", 14, true), ("extension_number", 15, false)]
    {
        let digits = match phone.get(key) {
            Some(Value::String(digits)) => digits.as_str(),
            Some(_) => "",
            None if required => "",
            None => continue,
        };
        if digits.is_empty() || digits.len() > max || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            findings.refuse::<()>(&format!("{at}.{key}"), &format!("must be 1 to {max} digits"));
        }
        length += if required { digits.len() } else { 0 };
    }
    if length > 15 {
        findings.refuse::<()>(at, "country code and national number have more than 15 digits together");
    }
}

fn object<'a>(
    parent: &'a Map<String, Value>,
    at: &str,
    key: &str,
    findings: &mut Findings,
) -> Option<&'a Map<String, Value>> {
    match parent.get(key)? {
        Value::Object(object) => Some(object),
        _ => findings.refuse(&format!("{at}.{key}"), "must be an object"),
    }
}

/// `en`, `en-US`, `zh-Hant` or `zh-Hant-TW`.
fn is_language(tag: &str) -> bool {
    let letters = |part: &str, upper: bool| {
        part.bytes().all(|byte| if upper { byte.is_ascii_uppercase() } else { byte.is_ascii_lowercase() })
    };
    let script = |part: &str| part.len() == 4 && letters(&part[..1], true) && letters(&part[1..], false);
    let country = |part: &str| part.len() == 2 && letters(part, true);
    if !tag.is_ascii() {
        return false;
    }
    let parts: Vec<&str> = tag.split('-').collect();
    let language = |part: &str| part.len() == 2 && letters(part, false);
    match parts.as_slice() {
        [only] => language(only),
        [first, second] => language(first) && (script(second) || country(second)),
        [first, second, third] => language(first) && script(second) && country(third),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_language;

    #[test]
    fn a_language_is_a_tag() {
        for good in ["en", "en-US", "zh-Hant", "zh-Hant-TW"] {
            assert!(is_language(good), "{good}");
        }
        for bad in ["", "EN", "en_US", "en-us", "en-US-", "english", "zh-TW-Hant", "e\u{301}"] {
            assert!(!is_language(bad), "{bad}");
        }
    }
}
