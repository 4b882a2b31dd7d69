//! The choice of what to pay, as it goes to its review.

use super::{Asked, PAGE, read_row};
use crate::app::App;
use crate::id::CommissionId;
use crate::payout::selection::{self, Ticked};
use crate::web::{Error, Form, Result, Signed, Tone, see};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// What was ticked, as the form sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chosen {
    how: String,
    all: String,
    row: Vec<String>,
    except: Vec<String>,
    commission: Vec<CommissionId>,
    through: String,
    q: String,
    minimum: String,
    currency: String,
    sort: String,
}

impl Chosen {
    fn asked(&self) -> Asked {
        Asked {
            through: self.through.clone(),
            q: self.q.clone(),
            minimum: self.minimum.clone(),
            currency: self.currency.clone(),
            sort: self.sort.clone(),
            ..Asked::default()
        }
    }

    fn ticked(&self) -> Ticked {
        let rows = |names: &[String]| names.iter().filter_map(|name| read_row(name)).collect();
        if self.all.is_empty() {
            return Ticked::These { rows: rows(&self.row), commissions: self.commission.clone() };
        }
        let except = rows(&self.except);
        Ticked::AllBut { filter: self.asked().filter(), except, payable_only: self.how != "manual" }
    }
}

/// Freezes the choice and leads to its review. Nothing is paid here.
pub(super) async fn select(State(app): State<App>, signed: Signed, Form(chosen): Form<Chosen>) -> Result<Response> {
    let how = match chosen.how.as_str() {
        how @ ("paypal" | "file" | "manual" | "export") => how,
        _ => return Err(Error::Invalid("Choose how to pay. Nothing was paid.".into())),
    };
    let asked = chosen.asked();
    let through = asked.through(signed.today(&app));
    let mut tx = signed.tx(&app).await?;
    let selected = selection::select(&mut tx, &signed.actor(&app), through, &chosen.ticked()).await?;
    let Some(id) = selected else {
        let nothing = "Tick at least one affiliate who is owed something by then. Nothing was paid.";
        return Ok(see(asked.address(PAGE, &[])).with(Tone::Warning, nothing).into_response());
    };
    tx.commit().await?;
    Ok(see(format!("/payouts/new/{id}?how={how}")).into_response())
}
