//! What the columns of a file mean. They may be guessed from the header; how amounts are written may not.

use super::{DateForm, DecimalSign, Kind};
use crate::money::Currency;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// What a column of a file can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// Commissions: the affiliate's e-mail or code.
    Affiliate,
    /// How much.
    Amount,
    /// In which currency, if not the same for the whole file.
    Currency,
    /// Payable from this day on.
    DueOn,
    /// Earned on this day: payable the merchant's waiting days later, where no due date is given.
    EarnedOn,
    /// The merchant's own name for the commission.
    Reference,
    /// A note.
    Note,
    /// Paid elsewhere on this day already.
    PaidOn,
    /// Affiliates: e-mail.
    Email,
    /// Affiliate code.
    Code,
    /// First name.
    FirstName,
    /// Last name.
    LastName,
    /// PayPal e-mail, if different.
    PaypalEmail,
}

impl Column {
    /// The columns of a kind of file, in the order of the form.
    pub fn of(kind: Kind) -> &'static [Column] {
        match kind {
            Kind::Affiliates => {
                &[Column::Email, Column::FirstName, Column::LastName, Column::Code, Column::PaypalEmail]
            }
            Kind::Commissions => &[
                Column::Affiliate,
                Column::Amount,
                Column::Currency,
                Column::DueOn,
                Column::EarnedOn,
                Column::Reference,
                Column::Note,
                Column::PaidOn,
            ],
        }
    }

    /// The name of its field in the form.
    pub fn name(self) -> &'static str {
        match self {
            Column::Affiliate => "affiliate",
            Column::Amount => "amount",
            Column::Currency => "currency",
            Column::DueOn => "due_on",
            Column::EarnedOn => "earned_on",
            Column::Reference => "reference",
            Column::Note => "note",
            Column::PaidOn => "paid_on",
            Column::Email => "email",
            Column::Code => "code",
            Column::FirstName => "first_name",
            Column::LastName => "last_name",
            Column::PaypalEmail => "paypal_email",
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Column::Affiliate => "Affiliate (email or code)",
            Column::Amount => "Amount",
            Column::Currency => "Currency",
            Column::DueOn => "Due date",
            Column::EarnedOn => "Earned on",
            Column::Reference => "Reference",
            Column::Note => "Note",
            Column::PaidOn => "Paid on",
            Column::Email => "Email",
            Column::Code => "Affiliate code",
            Column::FirstName => "First name",
            Column::LastName => "Last name",
            Column::PaypalEmail => "PayPal email",
        }
    }

    /// Without it no line makes sense.
    pub fn is_needed(self) -> bool {
        match self {
            Column::Affiliate | Column::Amount | Column::Currency | Column::DueOn | Column::Reference => true,
            Column::EarnedOn
            | Column::Note
            | Column::PaidOn
            | Column::Email
            | Column::Code
            | Column::FirstName
            | Column::LastName
            | Column::PaypalEmail => false,
        }
    }

    /// Headings that mean it, in letters and digits only, the likeliest first.
    fn headings(self) -> &'static [&'static str] {
        match self {
            Column::Affiliate => &[
                "affiliate",
                "affiliateemail",
                "affiliateemailorcode",
                "affiliatecode",
                "partner",
                "partneremail",
                "publisher",
                "email",
                "code",
            ],
            Column::Amount => &["amount", "commissionamount", "commission", "payout", "value", "total", "betrag"],
            Column::Currency => &["currency", "currencycode", "währung"],
            Column::EarnedOn => {
                &["earnedon", "earned", "dateearned", "soldon", "saledate", "orderdate", "purchasedate"]
            }
            Column::DueOn => &["duedate", "dueon", "due", "payableon", "date"],
            Column::Reference => &[
                "reference",
                "ownreference",
                "ref",
                "orderid",
                "ordernumber",
                "order",
                "purchasecode",
                "transactionid",
                "id",
            ],
            Column::Note => &["note", "notes", "comment", "description", "memo"],
            Column::PaidOn => &["paidon", "paiddate", "datepaid", "paymentdate"],
            Column::Email => &["email", "emailaddress", "affiliateemail", "mail"],
            Column::Code => &["code", "affiliatecode", "referralcode", "affiliateid", "id"],
            Column::FirstName => &["firstname", "first", "givenname", "vorname"],
            Column::LastName => &["lastname", "last", "surname", "familyname", "nachname"],
            Column::PaypalEmail => &["paypalemail", "paypal", "paypaladdress"],
        }
    }
}

/// What somebody said, or the program guessed, about a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// Where each column is, counted from zero.
    pub columns: BTreeMap<Column, usize>,
    /// How amounts are written.
    pub decimal: Option<DecimalSign>,
    /// How dates are written.
    pub dates: Option<DateForm>,
    /// The currency of every line, where no column says it.
    pub currency: Option<Currency>,
}

impl Mapping {
    /// What the header suggests. Amounts are left open.
    pub fn guess(kind: Kind, header: &[String]) -> Mapping {
        let plain = |name: &String| -> String {
            name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
        };
        let names: Vec<String> = header.iter().map(plain).collect();
        let mut columns = BTreeMap::new();
        for column in Column::of(kind) {
            let is_free = |at: &usize| !columns.values().any(|taken| taken == at);
            let found = column
                .headings()
                .iter()
                .find_map(|heading| names.iter().position(|name| name == heading).filter(is_free));
            if let Some(at) = found {
                columns.insert(*column, at);
            }
        }
        Mapping { columns, ..Mapping::default() }
    }

    /// Reads the form: each column's number under its name (for the currency also a code), `decimal` and `dates`. Keeps
    /// what can be read, beside all that is wrong or missing.
    pub fn from_form(
        kind: Kind,
        header: &[String],
        form: &HashMap<String, String>,
    ) -> (Mapping, Vec<(&'static str, String)>) {
        let said = |name: &str| form.get(name).map(|text| text.trim()).unwrap_or_default();
        let mut mapping = Mapping::default();
        let mut problems = Vec::new();
        let place = |column: Column| said(column.name()).parse().ok().filter(|at| *at < header.len());
        for column in Column::of(kind) {
            let at: Option<usize> = place(*column);
            if let Some(at) = at {
                mapping.columns.insert(*column, at);
            } else if *column == Column::Currency {
                mapping.currency = said("currency").parse().ok();
            }
            let is_told_otherwise = match column {
                Column::Currency => mapping.currency.is_some(),
                Column::DueOn => place(Column::EarnedOn).is_some(),
                _ => false,
            };
            if column.is_needed() && at.is_none() && !is_told_otherwise {
                problems.push((column.name(), format!("Choose the column of the {}.", column.words().to_lowercase())));
            }
        }
        mapping.decimal = DecimalSign::ALL.into_iter().find(|sign| sign.name() == said("decimal"));
        mapping.dates = DateForm::ALL.into_iter().find(|form| form.name() == said("dates"));
        match kind {
            Kind::Affiliates => {
                if !mapping.columns.contains_key(&Column::Email) && !mapping.columns.contains_key(&Column::Code) {
                    let message =
                        "Choose the column of the email, or that of the affiliate code: one of them is needed.";
                    problems.push(("email", message.into()));
                }
            }
            Kind::Commissions => {
                if mapping.decimal.is_none() {
                    problems.push(("decimal", "Choose the decimal sign of this file: amounts are not guessed.".into()));
                }
                if mapping.dates.is_none() {
                    problems.push(("dates", "Choose how dates are written in this file.".into()));
                }
            }
        }
        (mapping, problems)
    }

    /// The file says this.
    pub fn has(&self, column: Column) -> bool {
        self.columns.contains_key(&column)
    }

    /// The cell of a column in a record; empty where the file has no such column.
    pub(super) fn cell<'a>(&self, record: &'a csv::StringRecord, column: Column) -> &'a str {
        self.columns.get(&column).and_then(|at| record.get(*at)).unwrap_or_default().trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn headings_are_recognised_and_amounts_left_open() {
        let header = header(&["Order ID", "Affiliate E-Mail", "Due Date", "Amount", "Currency", "Paid on", "E-mail"]);
        let guess = Mapping::guess(Kind::Commissions, &header);
        let at = |column| guess.columns.get(&column).copied();
        assert_eq!((at(Column::Reference), at(Column::Affiliate), at(Column::DueOn)), (Some(0), Some(1), Some(2)));
        assert_eq!((at(Column::Amount), at(Column::Currency), at(Column::PaidOn)), (Some(3), Some(4), Some(5)));
        assert_eq!((guess.decimal, guess.dates, guess.currency), (None, None, None));
    }

    #[test]
    fn a_form_says_all_that_is_missing() {
        let header = header(&["a", "b"]);
        let (_, problems) = Mapping::from_form(Kind::Commissions, &header, &HashMap::new());
        let fields: Vec<_> = problems.iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, ["affiliate", "amount", "currency", "due_on", "reference", "decimal", "dates"]);
        let form = [("earned_on", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (mapping, problems) = Mapping::from_form(Kind::Commissions, &header, &form.into());
        assert!(mapping.has(Column::EarnedOn) && problems.iter().all(|(field, _)| *field != "due_on"), "{problems:?}");
        let form = [("email", "7"), ("code", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (mapping, problems) = Mapping::from_form(Kind::Affiliates, &header, &form.into());
        assert_eq!((mapping.columns, problems), ([(Column::Code, 1)].into(), vec![]));
    }
}
