//! What a person may do for a merchant. Roles are cumulative: each may do what those before it may.

use std::fmt;
use std::str::FromStr;

/// A person's role at one merchant, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Role {
    /// Looks at everything, changes nothing.
    Viewer,
    /// Keeps affiliates and commissions, imports, and prepares payments.
    Preparer,
    /// Sends money.
    Approver,
    /// Connects PayPal, and decides who may do what.
    Admin,
}

impl Role {
    /// Every role, from least to most.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Preparer, Role::Approver, Role::Admin];

    /// As it is stored, typed and shown.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Preparer => "preparer",
            Role::Approver => "approver",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No role has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no role; the roles are viewer, preparer, approver and admin")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.name().eq_ignore_ascii_case(name.trim()))
            .ok_or_else(|| UnknownRole(name.trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_those_before_it_may() {
        assert!(Role::ALL.is_sorted());
        assert_eq!(" Approver ".parse(), Ok(Role::Approver));
        assert_eq!("owner".parse::<Role>(), Err(UnknownRole("owner".into())));
    }
}
