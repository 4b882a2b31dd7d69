//! A merchant or a person about to be added: what was entered for them, and whether it can be.

use crate::clock::zone_named;
use crate::name::{NOT_ONE_LINE, is_one_line};
use crate::password;
use secrecy::SecretString;

/// One field that cannot be as it was entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// "merchant", "time_zone", "email", "password" or "role".
    pub field: &'static str,
    /// What to do about it.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

/// Somebody who shall sign in.
#[derive(Debug)]
pub struct NewPerson {
    /// With which they sign in.
    pub email: String,
    /// How they are called; may be empty.
    pub name: String,
    /// What they type.
    pub password: SecretString,
}

/// A merchant that does not exist yet.
#[derive(Debug)]
pub struct NewMerchant {
    /// Its name, the only one of this name here.
    pub name: String,
    /// Whose days decide what is due, by its IANA name.
    pub time_zone: String,
}

/// The zone by its exact name, if everything is in order.
pub(crate) fn check_merchant(new: &NewMerchant) -> Result<String, Vec<Problem>> {
    let mut problems = Vec::new();
    if !(1..=200).contains(&new.name.trim().chars().count()) {
        problems.push(Problem::new("merchant", "a merchant's name has 1 to 200 characters"));
    }
    if !is_one_line(&new.name) {
        problems.push(Problem::new("merchant", NOT_ONE_LINE));
    }
    let zone = zone_named(&new.time_zone);
    if zone.is_none() {
        let message =
            format!("{:?} is no time zone; write it as in Europe/Berlin or America/New_York", new.time_zone.trim());
        problems.push(Problem::new("time_zone", message));
    }
    zone.filter(|_| problems.is_empty()).ok_or(problems)
}

pub(crate) fn check_person(new: &NewPerson) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    problems.extend(check_address(&new.email).err());
    if !is_one_line(&new.name) {
        problems.push(Problem::new("name", NOT_ONE_LINE));
    }
    if let Err(unfit) = password::check(&new.password, &[&new.email, &new.name]) {
        problems.push(Problem::new("password", unfit.to_string()));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The e-mail with which somebody shall sign in.
pub(crate) fn check_address(email: &str) -> Result<(), Problem> {
    let email = email.trim();
    let parts = email.rsplit_once('@').filter(|(user, host)| !user.is_empty() && !host.is_empty());
    let strange = email.contains(|c: char| c.is_whitespace() || c.is_control());
    if parts.is_none() || strange || !(3..=254).contains(&email.len()) {
        return Err(Problem::new("email", format!("{email:?} is no e-mail address")));
    }
    Ok(())
}
