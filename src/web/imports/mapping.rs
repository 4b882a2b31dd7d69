//! What the columns of a file mean, and how its amounts and dates are written.

use super::show::{MOVED_ON, found};
use crate::app::App;
use crate::database::Tx;
use crate::id::ImportId;
use crate::import::{self, Column, DateForm, DecimalSign, Import, Kind, Mapping, Moved, State as Stage};
use crate::money::Currency;
use crate::web::error::Result;
use crate::web::page::{FormErrors, Frame, Section, Tone, page, see, unaccepted};
use crate::web::{Path, Signed};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;

/// Lines that decide the form of dates, and those that the page shows.
const SAMPLE: usize = 200;
const SHOWN: usize = 5;
/// Examples of amounts under each decimal sign.
const EXAMPLES: usize = 3;

/// The form, filled in as far as anything is known.
pub(super) struct Form {
    mapping: Mapping,
    sample: Vec<(i64, Vec<String>)>,
    errors: FormErrors,
}

/// The form as the header, the lines, and what was said before suggest it.
pub(super) async fn form(tx: &mut Tx, import: &Import) -> Result<Form> {
    let sample = import::sample(tx, import, SAMPLE).await?;
    let mapping = match &import.mapping {
        Some(said) => said.0.clone(),
        None => {
            let mut guess = Mapping::guess(import.kind, &import.header);
            guess.dates = date_column(&guess).and_then(|at| DateForm::guess(cells(&sample, at)));
            guess
        }
    };
    Ok(Form { mapping, sample, errors: FormErrors::new() })
}

/// Where the file's dates are.
fn date_column(mapping: &Mapping) -> Option<usize> {
    [Column::DueOn, Column::EarnedOn].iter().find_map(|column| mapping.columns.get(column).copied())
}

fn cells(sample: &[(i64, Vec<String>)], at: usize) -> impl Iterator<Item = &str> + Clone {
    sample.iter().filter_map(move |(_, cells)| cells.get(at)).map(String::as_str)
}

impl Form {
    /// The columns of this kind of file.
    pub(super) fn columns(&self, import: &Import) -> &'static [Column] {
        Column::of(import.kind)
    }

    pub(super) fn is_at(&self, column: &Column, at: &usize) -> bool {
        self.mapping.columns.get(column) == Some(at)
    }

    pub(super) fn error(&self, column: &Column) -> &str {
        self.errors.at(column.name())
    }

    pub(super) fn hint(&self, column: &Column) -> &'static str {
        match column {
            Column::Currency => "A column of the file, or one currency for every line.",
            Column::PaidOn => "Only for commissions that were paid before: they come in as paid and are never owed.",
            Column::PaypalEmail => "Only where money goes to another address than the email.",
            Column::Email => "Needed, unless there is an affiliate code.",
            Column::DueOn => "Needed, unless the file says when each was earned.",
            Column::EarnedOn => {
                "Without a due date, commissions are due your waiting days after it (Settings, Payment rules)."
            }
            Column::Affiliate
            | Column::Amount
            | Column::Reference
            | Column::Note
            | Column::Code
            | Column::FirstName
            | Column::LastName => "",
        }
    }

    pub(super) fn is_currency(&self, column: &Column) -> bool {
        *column == Column::Currency
    }

    pub(super) fn currencies(&self) -> &'static [Currency] {
        Currency::ALL
    }

    pub(super) fn is_fixed(&self, currency: &Currency) -> bool {
        self.mapping.currency == Some(*currency)
    }

    pub(super) fn has_amounts(&self, import: &Import) -> bool {
        match import.kind {
            Kind::Commissions => true,
            Kind::Affiliates => false,
        }
    }

    pub(super) fn signs(&self) -> [DecimalSign; 2] {
        DecimalSign::ALL
    }

    pub(super) fn is_sign(&self, sign: &DecimalSign) -> bool {
        self.mapping.decimal == Some(*sign)
    }

    /// How the file's first amounts would read under a sign: "1.234,50" and either the amount or nothing.
    pub(super) fn examples(&self, sign: &DecimalSign) -> Vec<(String, Option<String>)> {
        let Some(at) = self.mapping.columns.get(&Column::Amount) else { return Vec::new() };
        let mut telling: Vec<&str> = cells(&self.sample, *at).map(str::trim).filter(|cell| !cell.is_empty()).collect();
        // Amounts with a sign in them tell more than those without.
        telling.sort_by_key(|cell| cell.bytes().all(|byte| byte.is_ascii_digit()));
        let read = |cell: &&str| (cell.chars().take(24).collect(), sign.read(cell).map(|amount| amount.to_string()));
        telling.iter().take(EXAMPLES).map(read).collect()
    }

    pub(super) fn dates(&self) -> [DateForm; 4] {
        DateForm::ALL
    }

    pub(super) fn is_form(&self, form: &DateForm) -> bool {
        self.mapping.dates == Some(*form)
    }

    /// The first date of the file.
    pub(super) fn date(&self) -> &str {
        let at = date_column(&self.mapping);
        at.and_then(|at| cells(&self.sample, at).map(str::trim).find(|cell| !cell.is_empty())).unwrap_or_default()
    }

    pub(super) fn shown(&self) -> &[(i64, Vec<String>)] {
        &self.sample[..self.sample.len().min(SHOWN)]
    }

    /// A column's name, or its place where it has none.
    pub(super) fn heading(&self, at: &usize, name: &str) -> String {
        if name.is_empty() { format!("Column {}", at + 1) } else { name.to_owned() }
    }

    pub(super) fn errors(&self) -> &FormErrors {
        &self.errors
    }
}

#[derive(Template)]
#[template(path = "imports/mapping.html")]
struct Edit {
    frame: Frame,
    import: Import,
    form: Form,
}

pub(super) async fn edit(State(app): State<App>, signed: Signed, Path(id): Path<ImportId>) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let import = found(&mut tx, id).await?;
    match import.state {
        Stage::Uploaded | Stage::Checked => {}
        Stage::Uploading | Stage::Checking | Stage::Importing | Stage::Imported | Stage::Failed => {
            return Ok(see(format!("/imports/{id}")).with(Tone::Info, MOVED_ON).into_response());
        }
    }
    let form = form(&mut tx, &import).await?;
    page(&Edit { frame: signed.frame(Section::Commissions), import, form })
}

pub(super) async fn update(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<ImportId>,
    crate::web::Form(said): crate::web::Form<HashMap<String, String>>,
) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let import = found(&mut tx, id).await?;
    let (mapping, problems) = Mapping::from_form(import.kind, &import.header, &said);
    if !problems.is_empty() {
        let sample = import::sample(&mut tx, &import, SAMPLE).await?;
        let form = Form { mapping, sample, errors: problems.into() };
        return unaccepted(&Edit { frame: signed.frame(Section::Commissions), import, form });
    }
    let answer = see(format!("/imports/{id}"));
    match import::set_mapping(&mut tx, id, &mapping, app.clock.now()).await? {
        Moved::Yes => {
            tx.commit().await?;
            app.wake.notify_waiters();
            Ok(answer.into_response())
        }
        Moved::No => Ok(answer.with(Tone::Info, MOVED_ON).into_response()),
    }
}
