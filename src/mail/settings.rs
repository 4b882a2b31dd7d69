//! What a merchant decided about its mails.

use super::{Kind, Text};
use crate::audit::{self, Actor};
use crate::database::Tx;
use serde_json::{Value, json};

/// One kind of mail, as this merchant has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Which.
    pub kind: Kind,
    /// Whether it is sent.
    pub is_on: bool,
    /// The merchant's own text; none is the standard one.
    pub own: Option<Text>,
    /// Who gets the merchant's news, if not every admin.
    pub recipient: Option<String>,
}

impl Setting {
    /// What is sent.
    pub fn text(&self) -> Text {
        self.own.clone().unwrap_or_else(|| self.kind.standard())
    }

    /// For the audit log.
    fn told(&self) -> Value {
        json!({
            "on": self.is_on,
            "subject": self.own.as_ref().map(|text| &text.subject),
            "text": self.own.as_ref().map(|text| &text.body),
            "recipient": self.recipient,
        })
    }
}

/// Every kind.
pub async fn all(tx: &mut Tx) -> sqlx::Result<Vec<Setting>> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"select kind as "kind: Kind", is_on, subject, body, recipient from mail_kinds where merchant_id = $1"#,
        merchant.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let setting = |kind| {
        let row = rows.iter().find(|row| row.kind == kind);
        Setting {
            kind,
            is_on: row.is_none_or(|row| row.is_on),
            own: row.and_then(|row| Some(Text { subject: row.subject.clone()?, body: row.body.clone()? })),
            recipient: row.and_then(|row| row.recipient.clone()),
        }
    };
    Ok(Kind::ALL.map(setting).to_vec())
}

/// One kind.
pub async fn one(tx: &mut Tx, kind: Kind) -> sqlx::Result<Setting> {
    let all = all(tx).await?;
    Ok(all.into_iter().find(|setting| setting.kind == kind).expect("every kind is among all"))
}

/// Keeps what a person decided.
pub async fn save(tx: &mut Tx, actor: &Actor, setting: &Setting) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let change = json!({ "old": one(tx, setting.kind).await?.told(), "new": setting.told() });
    let own = setting.own.as_ref();
    sqlx::query!(
        r#"
        insert into mail_kinds (merchant_id, kind, is_on, subject, body, recipient)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (merchant_id, kind) do update
        set is_on = excluded.is_on, subject = excluded.subject, body = excluded.body, recipient = excluded.recipient
        "#,
        merchant.0,
        setting.kind.name(),
        setting.is_on,
        own.map(|text| text.subject.as_str()),
        own.map(|text| text.body.as_str()),
        setting.recipient
    )
    .execute(&mut **tx)
    .await?;
    audit::record(tx, actor, "mail changed", &format!("mail {}", setting.kind.name()), change).await
}
