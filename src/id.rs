//! Ids: a UUIDv7 in a newtype for each kind of row, and the form in which PayPal sees them.

use uuid::Uuid;

/// Declares an id type: a UUIDv7 that sorts by its time of birth.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, sqlx::Type,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// A new id, never used before by any installation.
            #[expect(clippy::new_without_default, reason = "an id is minted on purpose, never by default")]
            pub fn new() -> Self {
                Self(uuid::Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(/** A merchant: the account that signs in and owes the money. */ MerchantId);
id!(/** A person who signs in. */ PersonId);
id!(/** An affiliate of one merchant. */ AffiliateId);
id!(/** One amount owed to one affiliate. */ CommissionId);
id!(/** A merchant's link to one PayPal app. */ ConnectionId);
id!(/** A merchant's account on PayPal's DropZone. */ DropzoneId);
id!(/** A file that PayPal put there. */ DropzoneFileId);
id!(/** Details that a person saved and PayPal has not confirmed yet. */ CandidateId);
id!(/** A frozen selection of commissions, and the payout request made of it. */ RequestId);
id!(/** One payout batch. */ BatchId);
id!(/** One payment to one affiliate inside a batch. */ ItemId);
id!(/** One imported file. */ ImportId);
id!(/** An invitation to become a person of a merchant. */ InvitationId);
id!(/** A passkey of a person. */ PasskeyId);
id!(/** Somebody's wish for a new password. */ ResetId);
id!(/** One running program; holds the leases of batches being sent. */ InstanceId);

/// What PayPal sees of a batch: its UUID in 26 characters, which fits every rail (the large-batch reference allows
/// 30). Unique across installations, so that a copy of this database on the same PayPal account cannot collide.
pub fn sender_batch_id(batch: BatchId) -> String {
    crockford(batch.0)
}

/// What PayPal sees of an item; see [`sender_batch_id`].
pub fn sender_item_id(item: ItemId) -> String {
    crockford(item.0)
}

/// The item behind a name that PayPal echoes; nothing if no installation would give it.
pub fn item_of(sender_item_id: &str) -> Option<ItemId> {
    let id = sender_item_id.bytes().try_fold(0_u128, |id, byte| {
        let digit = DIGITS.iter().position(|digit| *digit == byte)?;
        id.checked_mul(32)?.checked_add(u128::try_from(digit).ok()?)
    })?;
    let id = ItemId(Uuid::from_u128(id));
    (self::sender_item_id(id) == sender_item_id).then_some(id)
}

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn crockford(id: Uuid) -> String {
    let bits = id.as_u128();
    (0..26).rev().map(|place| DIGITS[(bits >> (5 * place) & 31) as usize] as char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_26_crockford_characters_on_every_rail() {
        assert_eq!(crockford(Uuid::from_u128(0)), "0".repeat(26));
        assert_eq!(crockford(Uuid::from_u128(31)), format!("{}Z", "0".repeat(25)));
        assert_eq!(crockford(Uuid::from_u128(u128::MAX)), format!("7{}", "Z".repeat(25)));
        let (a, b) = (BatchId::new(), BatchId::new());
        assert_ne!(sender_batch_id(a), sender_batch_id(b));
        assert_eq!(sender_batch_id(a) < sender_batch_id(b), a < b, "the order of birth is kept");
    }

    #[test]
    fn an_item_is_found_by_its_name_and_no_other_word_is_one() {
        let item = ItemId::new();
        let name = sender_item_id(item);
        assert_eq!(item_of(&name), Some(item));
        let short = &name[1..];
        for other in
            ["", "pi_000001", &name.to_lowercase(), short, &format!("0{name}"), &"Z".repeat(26), &"9".repeat(99)]
        {
            assert_eq!(item_of(other), None, "{other}");
        }
    }
}
