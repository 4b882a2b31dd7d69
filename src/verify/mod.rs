//! Is everything as it must be? Recomputes from the rows, set by set, what the rest of the program keeps true, and
//! shares no code with it but the types of money. It only reads, in one snapshot, while the application runs.
//!
//! Each invariant is one SQL file. A row of its answer is one kind of thing: how many were looked at, how many are
//! wrong, and the first few of those in words.

mod files;

use crate::database::Database;
use crate::money::Currency;
use anyhow::Context;
use sqlx::{Acquire, PgConnection};
use std::fmt;
use uuid::Uuid;

/// Nothing is sent to PayPal later than this after the first attempt; PayPal forgets names after 30 days.
const WINDOW_SECONDS: i64 = 29 * 24 * 60 * 60;

/// What must hold at all times. The numbers are those people quote; 7, 8, 10 and 11 are not in the database's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invariant {
    /// A commission is in one payment at most.
    I1,
    /// Sums and counts agree, down to the frozen bytes.
    I2,
    /// Every commission stands somewhere, and what is kept for speed is right.
    I3,
    /// One name and one body for life.
    I4,
    /// No attempt outside the window, with a stale fence, or without the approval that its sum needed.
    I5,
    /// Items move only along PayPal's states.
    I6,
    /// Amounts are exact, in their currency's scale.
    I9,
    /// Who changed what is one chain.
    I12,
}

impl Invariant {
    /// All that are checked.
    pub const ALL: [Self; 8] = [Self::I1, Self::I2, Self::I3, Self::I4, Self::I5, Self::I6, Self::I9, Self::I12];

    /// For people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::I1 => "A commission is in one payment at a time.",
            Self::I2 => {
                "Items pay the sum of their commissions, batches the sum of their items, and so say the frozen bodies."
            }
            Self::I3 => {
                "What was earned is the sum of all standings, and what is kept for speed is what is recomputed."
            }
            Self::I4 => "A batch keeps its name and its body, and what was written down stays.",
            Self::I5 => {
                "Nothing was sent after its window, by an instance that had lost its lease, or without the approval it needed."
            }
            Self::I6 => "Items moved only the way money moves at PayPal, and every move was written down.",
            Self::I9 => "Amounts are exact decimals in the scale of their currency.",
            Self::I12 => "Who changed what is one chain for each merchant: nothing was changed, taken out or put in.",
        }
    }
}

/// One kind of thing that was looked at.
#[derive(Debug, Clone)]
pub struct Looked {
    /// Of what kind.
    pub things: String,
    /// How many.
    pub looked: i64,
    /// How many of them are wrong.
    pub broken: i64,
    /// The first few of those.
    pub examples: Option<Vec<String>>,
}

/// What came of one invariant.
#[derive(Debug)]
pub struct Finding {
    /// Which.
    pub invariant: Invariant,
    /// What was looked at; or why it could not be, which is as bad as finding something.
    pub looked: Result<Vec<Looked>, String>,
}

impl Finding {
    /// Whether it could be checked and nothing is wrong.
    pub fn holds(&self) -> bool {
        self.looked.as_ref().is_ok_and(|looked| looked.iter().all(|kind| kind.broken == 0))
    }
}

/// What came of all of them.
#[derive(Debug)]
pub struct Report(pub Vec<Finding>);

impl Report {
    /// Those that do not hold.
    pub fn broken(&self) -> Vec<Invariant> {
        self.0.iter().filter(|finding| !finding.holds()).map(|finding| finding.invariant).collect()
    }
}

/// Checks all merchants, or the one of this name.
pub async fn verify(database: &Database, merchant: Option<&str>) -> anyhow::Result<Report> {
    let mut tx = database.installation().await?;
    // Whole tables are joined here.
    sqlx::raw_sql("set transaction isolation level repeatable read, read only; set local work_mem = '128MB'")
        .execute(&mut *tx)
        .await?;
    let merchant = match merchant {
        Some(name) => Some(merchant_named(&mut tx, name).await?),
        None => None,
    };
    let mut findings = Vec::new();
    for invariant in Invariant::ALL {
        // What is damaged may be impossible to read at all: one check's failure must not end the others.
        let mut attempt = tx.begin().await?;
        let mut looked = look(&mut attempt, invariant, merchant).await.map_err(|error| error.to_string());
        if let (Invariant::I2, Ok(kinds)) = (invariant, &mut looked) {
            match files::look(&mut attempt, merchant).await {
                Ok(files) => kinds.push(files),
                Err(error) => looked = Err(format!("{error:#}")),
            }
        }
        attempt.rollback().await?;
        findings.push(Finding { invariant, looked });
    }
    Ok(Report(findings))
}

async fn merchant_named(tx: &mut PgConnection, name: &str) -> anyhow::Result<Uuid> {
    sqlx::query_scalar!("select id from merchants where lower(name) = lower($1)", name.trim())
        .fetch_optional(tx)
        .await?
        .with_context(|| format!("there is no merchant {name:?}"))
}

async fn look(tx: &mut PgConnection, invariant: Invariant, merchant: Option<Uuid>) -> sqlx::Result<Vec<Looked>> {
    let codes: Vec<String> = Currency::ALL.iter().map(|currency| currency.code().to_owned()).collect();
    let scales: Vec<i32> = Currency::ALL.iter().map(|currency| currency.scale().cast_signed()).collect();
    match invariant {
        Invariant::I1 => sqlx::query_file_as!(Looked, "src/verify/i1_paid_once.sql", merchant).fetch_all(tx).await,
        Invariant::I2 => sqlx::query_file_as!(Looked, "src/verify/i2_sums.sql", merchant).fetch_all(tx).await,
        Invariant::I3 => sqlx::query_file_as!(Looked, "src/verify/i3_standings.sql", merchant).fetch_all(tx).await,
        Invariant::I4 => sqlx::query_file_as!(Looked, "src/verify/i4_names.sql", merchant).fetch_all(tx).await,
        Invariant::I5 => {
            sqlx::query_file_as!(Looked, "src/verify/i5_attempts.sql", merchant, WINDOW_SECONDS).fetch_all(tx).await
        }
        Invariant::I6 => sqlx::query_file_as!(Looked, "src/verify/i6_moves.sql", merchant).fetch_all(tx).await,
        Invariant::I9 => {
            sqlx::query_file_as!(Looked, "src/verify/i9_amounts.sql", merchant, &codes, &scales).fetch_all(tx).await
        }
        Invariant::I12 => sqlx::query_file_as!(Looked, "src/verify/i12_audit.sql", merchant).fetch_all(tx).await,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0 {
            writeln!(f, "{:?}  {}", finding.invariant, finding.invariant.in_words())?;
            let kinds = match &finding.looked {
                Ok(kinds) => kinds,
                Err(why) => {
                    writeln!(f, "    BROKEN: this could not be checked: {why}")?;
                    continue;
                }
            };
            let counts: Vec<_> = kinds.iter().map(|kind| format!("{} {}", kind.looked, kind.things)).collect();
            writeln!(f, "    {}: {}", if finding.holds() { "holds" } else { "BROKEN" }, counts.join(", "))?;
            for kind in kinds.iter().filter(|kind| kind.broken > 0) {
                writeln!(f, "    {} {} wrong:", kind.broken, kind.things)?;
                for example in kind.examples.iter().flatten() {
                    writeln!(f, "      {example}")?;
                }
            }
        }
        Ok(())
    }
}
