//! PayPal's error names in plain words: what happened, who must act, and what to do. Pure.
//!
//! The names are those of PayPal's lists of Payouts errors (of items, and of calls); its texts change, so we branch on
//! names alone and show PayPal's own text only where we do not know the name.

mod calls;
mod items;

use crate::paypal::large_batch::FileError;
use std::borrow::Cow;

/// Who has to do something before the money can move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Nobody: it may go through when it is paid again.
    RetryLater,
    /// The merchant, at PayPal.
    SenderMustAct,
    /// The affiliate.
    AffiliateMustAct,
    /// PayPal will not pay this; paying it again in the same way looks like abuse.
    Never,
    /// PayPal or the affiliate is still at it; nothing has ended.
    Wait,
    /// A name that we do not know, or one that should not happen: a person looks.
    APersonLooks,
}

impl Class {
    /// Who must act, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::RetryLater => "Pay it again",
            Self::SenderMustAct => "You, at PayPal",
            Self::AffiliateMustAct => "The affiliate",
            Self::Never => "You: pay in another way",
            Self::Wait => "Nobody yet",
            Self::APersonLooks => "Somebody must look",
        }
    }
}

/// What mends it, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fix {
    /// Nothing to do but wait.
    Wait,
    /// Pay what is due again.
    PayAgain,
    /// Another address for the affiliate, here.
    Address,
    /// The affiliate does something in their PayPal account.
    TellAffiliate,
    /// Other details of the connection, here.
    Details,
    /// The merchant's account at PayPal; then look again here.
    Account,
    /// Money at PayPal; then try again here.
    TopUp,
    /// PayPal's support, with the id of the payment.
    ContactPayPal,
    /// Outside of PayPal.
    PayElsewhere,
}

impl Fix {
    /// What the button or link says.
    pub fn label(self) -> &'static str {
        match self {
            Self::Wait => "Wait",
            Self::PayAgain => "Review and pay again",
            Self::Address => "Correct the address",
            Self::TellAffiliate => "Tell the affiliate",
            Self::Details => "Enter new details",
            Self::Account => "Check again",
            Self::TopUp => "I have added money, try now",
            Self::ContactPayPal => "Contact PayPal with the payment’s id",
            Self::PayElsewhere => "Pay in another way",
        }
    }
}

/// One reason, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// What the merchant reads: a sentence, or a few.
    pub merchant: Cow<'static, str>,
    /// What the affiliate reads. It tells nothing of the merchant's account.
    pub affiliate: &'static str,
    /// Who must act.
    pub class: Class,
    /// What mends it.
    pub fix: Fix,
}

/// A line of the tables: every name and number it goes by, and what it means.
struct Row {
    names: &'static [&'static str],
    class: Class,
    fix: Fix,
    merchant: &'static str,
    affiliate: &'static str,
}

const fn row(
    names: &'static [&'static str],
    class: Class,
    fix: Fix,
    merchant: &'static str,
    affiliate: &'static str,
) -> Row {
    Row { names, class, fix, merchant, affiliate }
}

/// For the affiliate, where the cause is none of theirs.
const DELAYED: &str = "Your payment is delayed on our side. You need not do anything.";
/// For the affiliate, where only their own account can tell.
const LOOK_AT_ACCOUNT: &str =
    "PayPal could not pay you. Sign in to PayPal and see what it asks of you, or give us another address.";
/// For the affiliate, where PayPal will not do it.
const ANOTHER_WAY: &str = "PayPal could not pay you. We will find another way with you.";

/// Why an item is not paid, or not yet, by PayPal's error name or number. `message` is PayPal's own text.
pub fn of_item(name: &str, message: &str) -> Reason {
    find(name, &[items::ROWS, calls::ROWS]).unwrap_or_else(|| unknown(name, message))
}

/// Why a call was refused or has to wait, by PayPal's error name or ours.
pub fn of_call(name: &str, message: &str) -> Reason {
    let known = find(name, &[calls::ROWS, items::ROWS]).or_else(|| of_file(name));
    known.unwrap_or_else(|| unknown(name, message))
}

/// Why a file was rejected.
fn of_file(name: &str) -> Option<Reason> {
    let error = FileError::from_name(name)?;
    Some(Reason {
        merchant: format!("PayPal rejected the file: {} {}", error.text(), error.advice()).into(),
        affiliate: DELAYED,
        class: Class::APersonLooks,
        fix: Fix::PayAgain,
    })
}

/// PayPal's names and numbers of failed items that only the affiliate can mend.
pub fn affiliates_to_mend() -> Vec<String> {
    let rows = items::ROWS.iter().filter(|row| row.class == Class::AffiliateMustAct);
    rows.flat_map(|row| row.names).map(|name| (*name).to_owned()).collect()
}

fn find(name: &str, tables: &[&'static [Row]]) -> Option<Reason> {
    let row = tables.iter().copied().flatten().find(|row| row.names.contains(&name))?;
    Some(Reason { merchant: row.merchant.into(), affiliate: row.affiliate, class: row.class, fix: row.fix })
}

/// PayPal's own words, for want of better ones.
fn unknown(name: &str, message: &str) -> Reason {
    let merchant = match (name.trim(), message.trim()) {
        ("", "") => "PayPal gave no reason.".to_owned(),
        ("", message) => format!("PayPal says: {message}"),
        (name, "") => format!("PayPal says {name}, which we do not know."),
        (name, message) => format!("PayPal says: {message} ({name})"),
    };
    Reason {
        merchant: merchant.into(),
        affiliate: "PayPal could not pay you. We are looking into it.",
        class: Class::APersonLooks,
        fix: Fix::ContactPayPal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// PayPal's names of item errors with their numbers, and who must act: retry, sender, affiliate, never, wait, look.
    const ITEMS: &str = "
        UNDEFINED 1000 R
        INSUFFICIENT_FUNDS 1002 S
        USER_COUNTRY_NOT_ALLOWED 1003 S
        USER_FUNDING_SOURCE_INELIGIBLE 1004 S
        PENDING_RECIPIENT_NON_HOLDING_CURRENCY_PAYMENT_PREFERENCE 1005 W
        SELF_PAY_NOT_ALLOWED 3004 A
        SENDER_ACCOUNT_LOCKED 3014 S
        RECEIVER_ACCOUNT_LOCKED 3015 A
        3016 3016 L
        SPENDING_LIMIT_EXCEEDED 3017 S
        ACCOUNT_RESTRICTED 3047 S
        NEGATIVE_BALANCE 3078 S
        REFUSED_RECEIVER_REFUSED 3107 A
        RECEIVER_REFUSED 3107 A
        REFUSED_ACTION_DENIED 3141 S
        REFUSED_ACCESS_DENIED 3141 S
        RECEIVER_COUNTRY_NOT_ALLOWED 3148 X
        INVALID_EMAIL_ID 3501 A
        INVALID_EMAIL 3501 A
        3535 3535 S
        SENDER_STATE_RESTRICTED 3547 S
        RECEIVER_STATE_RESTRICTED 3558 X
        CLOSED_MARKET 3769 X
        INTERNAL_ERROR 4001 R
        INTERNAL_ERROR 4002 R
        ACCOUNT_UNCONFIRMED_EMAIL 8304 S
        ZERO_AMOUNT 8319 L
        RECEIVING_LIMIT_EXCEEDED 8330 A
        DUPLICATE_ITEM 8331 L
        RISK_DECLINE 9302 X
        GAMER_FAILED_COUNTRY_OF_RESIDENCE_CHECK 9500 X
        GAMER_FAILED_FUNDING_SOURCE_CHECK 9501 X
        GAMING_INVALID_PAYMENT_FLOW 9502 X
        TRANSACTION_LIMIT_EXCEEDED 11711 S
        CURRENCY_NOT_SUPPORTED_FOR_RECEIVER 14159 A
        CURRENCY_COMPLIANCE 14550 X
        14761 14761 S
        REGULATORY_PENDING 14763 W
        REGULATORY_BLOCKED 14764 X
        RECEIVER_UNREGISTERED 14765 W
        RECEIVER_UNCONFIRMED 14766 W
        RECEIVER_YOUTH_ACCOUNT 14767 A
        TRANSACTION_DECLINED_BY_TRAVEL_RULE 14776 S
        POS_LIMIT_EXCEEDED 14800 S
        UNVERIFIED_RECIPIENT_NOT_SUPPORTED 14801 A
        NON_HOLDING_CURRENCY 14802 S
        RECEIVER_ACCOUNT_INVALID - A
        RECEIVER_ACCOUNT_LIMITATION - W
        APPROVER_DENIED - S";

    /// Names of calls, ours among them.
    const CALLS: &str = "
        VALIDATION_ERROR L
        INVALID_REQUEST L
        MALFORMED_REQUEST L
        MALFORMED_REQUEST_JSON L
        UNPROCESSABLE_ENTITY L
        UNSUPPORTED_MEDIA_TYPE L
        METHOD_NOT_SUPPORTED L
        SYNC_MODE_NOT_APPLICABLE L
        USER_BUSINESS_ERROR L
        NON_HOLDING_CURRENCY S
        BATCH_NOT_COMPLETED W
        ITEM_ALREADY_CANCELLED W
        ITEM_CANCELLATION_FAILED R
        ITEM_INCORRECT_STATUS W
        SIGN_IN_REFUSED S
        DROPZONE_SIGN_IN_REFUSED S
        DROPZONE_HOST_KEY_CHANGED S
        invalid_client S
        invalid_token S
        AUTHENTICATION_FAILURE S
        REQUIRED_SCOPE_MISSING S
        AUTHORIZATION_ERROR S
        NOT_AUTHORIZED S
        FORBIDDEN S
        SENDER_EMAIL_UNCONFIRMED S
        SENDER_ACCOUNT_UNVERIFIED S
        CIP_NOT_VERIFIED S
        SENDER_RESTRICTED S
        SENDER_LOCKED S
        INVALID_RESOURCE_ID L
        RESOURCE_NOT_FOUND L
        INSUFFICIENT_FUNDS S
        RATE_LIMIT_REACHED W
        RATE_LIMIT_VALIDATION_FAILURES W
        PREVIOUS_REQUEST_IN_PROGRESS W
        RESOURCE_CONFLICT W
        INTERNAL_ERROR R
        INTERNAL_SERVER_ERROR R
        SERVICE_UNAVAILABLE R
        REQUEST_TIMEOUT_EXCEEDED R
        NOT_SENT R
        TAKEN_BACK R";

    fn class(letter: &str) -> Class {
        match letter {
            "R" => Class::RetryLater,
            "S" => Class::SenderMustAct,
            "A" => Class::AffiliateMustAct,
            "X" => Class::Never,
            "W" => Class::Wait,
            _ => Class::APersonLooks,
        }
    }

    /// Whole sentences, in words that are not PayPal's codes.
    fn reads_well(text: &str) {
        assert!(text.ends_with(['.', '?']) && text.len() > 20, "{text}");
        assert!(text.starts_with(|c: char| c.is_uppercase()), "{text}");
        assert!(!text.contains('_') && !text.contains("  "), "{text}");
    }

    fn is_told(reason: &Reason, letter: &str, name: &str) {
        assert_eq!(reason.class, class(letter), "{name}");
        reads_well(&reason.merchant);
        reads_well(reason.affiliate);
        assert!(!reason.merchant.contains("PayPal says"), "{name} has no words of ours");
        let fits = match reason.class {
            Class::RetryLater => &[Fix::PayAgain][..],
            Class::SenderMustAct => &[Fix::Details, Fix::Account, Fix::TopUp],
            Class::AffiliateMustAct => &[Fix::Address, Fix::TellAffiliate],
            Class::Never => &[Fix::PayElsewhere, Fix::ContactPayPal],
            Class::Wait => &[Fix::Wait, Fix::TellAffiliate],
            Class::APersonLooks => &[Fix::PayAgain, Fix::ContactPayPal],
        };
        assert!(fits.contains(&reason.fix), "{name}: {:?} does not mend it", reason.fix);
    }

    #[test]
    fn every_name_and_number_of_an_item_has_its_sentence() {
        for line in ITEMS.lines().filter(|line| !line.trim().is_empty()) {
            let mut words = line.split_whitespace();
            let (name, code, letter) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let reason = of_item(name, "PayPal's text");
            is_told(&reason, letter, name);
            if code != "-" {
                assert_eq!(of_item(code, ""), reason, "{name} is {code}");
            }
        }
    }

    #[test]
    fn every_name_of_a_call_has_its_sentence() {
        for line in CALLS.lines().filter(|line| !line.trim().is_empty()) {
            let (name, letter) = line.trim().split_once(' ').unwrap();
            is_told(&of_call(name, "PayPal's text"), letter, name);
        }
    }

    #[test]
    fn no_name_means_two_things_in_one_table() {
        for table in [items::ROWS, calls::ROWS] {
            let mut seen = HashSet::new();
            for name in table.iter().flat_map(|row| row.names) {
                assert!(seen.insert(name), "{name} is in two rows");
                assert!(ITEMS.contains(name) || CALLS.contains(name), "{name} is not in the list above");
            }
        }
    }

    #[test]
    fn a_name_we_do_not_know_is_told_in_paypals_words_and_somebody_looks() {
        let reason = of_item("BRAND_NEW", "The moon is full.");
        assert_eq!(reason.merchant, "PayPal says: The moon is full. (BRAND_NEW)");
        assert_eq!((reason.class, reason.fix), (Class::APersonLooks, Fix::ContactPayPal));
        assert_eq!(of_item("", "").merchant, "PayPal gave no reason.");
        assert_eq!(of_call("X", " ").merchant, "PayPal says X, which we do not know.");
    }
}
