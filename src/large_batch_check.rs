//! `stipend large-batch check`: what PayPal would answer to a file, in PayPal's own form, with advice.

use crate::paypal::large_batch::{Checked, Compression, Finding, Warning, check};
use anyhow::Context;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Before what PayPal would not say.
const ADVICE: &str = "    # ";
const WARNING: &str = "warning: ";

/// Which file, and how it is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file, or - for standard input
    pub file: PathBuf,
    /// The name under which it is to be uploaded, if it is not the file's own
    #[arg(long = "as", value_name = "NAME", required_if_eq("file", "-"))]
    pub name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Checks the file, prints what there is to say, and tells whether PayPal would accept it.
pub fn run(args: &Args, now: OffsetDateTime, out: &mut impl Write) -> anyhow::Result<bool> {
    let shown = args.file.display();
    let name = match &args.name {
        Some(name) => name.clone(),
        None => args.file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    let content: Box<dyn Read> = match args.file.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(&args.file).with_context(|| format!("{shown} could not be opened"))?),
    };
    let checked = check(Some(&name), content, now).with_context(|| format!("{shown} could not be checked"))?;
    if args.json {
        writeln!(out, "{:#}", as_json(&name, &checked))?;
    } else {
        print(&name, &checked, now, out)?;
    }
    out.flush()?;
    Ok(checked.is_accepted())
}

fn print(name: &str, checked: &Checked, now: OffsetDateTime, out: &mut impl Write) -> anyhow::Result<()> {
    let currency = checked.currency.as_deref().unwrap_or_default();
    if checked.is_accepted() {
        let time = now.replace_nanosecond(0)?.format(&Rfc3339)?;
        line(out, &[&time, stem(name), "ACCEPTED_FOR_PROCESSING"])?;
    }
    for finding in &checked.findings {
        let Finding { line: number, is_of_item, reference, error, detail } = finding;
        let number = number.map(|line| line.to_string()).unwrap_or_default();
        if *is_of_item {
            let reference = reference.as_deref().unwrap_or_default();
            line(out, &["PAYOUT", &number, reference, error.name(), error.text()])?;
        } else {
            line(out, &["PAYOUT_SUMMARY", currency, error.name(), error.text()])?;
        }
        writeln!(out, "{ADVICE}{detail} {}", error.advice())?;
    }
    more(out, ADVICE, checked.total_findings, checked.findings.len())?;
    for Warning { line, reference, text } in &checked.warnings {
        let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let reference = reference.as_deref().map(|reference| format!("{reference}: ")).unwrap_or_default();
        writeln!(out, "{WARNING}{line}{reference}{text}")?;
    }
    more(out, WARNING, checked.total_warnings, checked.warnings.len())?;
    let verdict = if checked.is_accepted() { "would accept" } else { "would reject" };
    let payments = match checked.lines {
        1 => "1 payment".to_owned(),
        lines => format!("{lines} payments"),
    };
    let sum = format!("{currency} {}", checked.sum);
    let sha256 = hex::encode(checked.sha256);
    writeln!(out, "PayPal {verdict} this file: {payments}, {} in all, SHA-256 {sha256}.", sum.trim_start())?;
    Ok(())
}

fn line(out: &mut impl Write, fields: &[&str]) -> anyhow::Result<()> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(out);
    writer.write_record(fields)?;
    writer.flush()?;
    Ok(())
}

fn more(out: &mut impl Write, prefix: &str, total: u64, listed: usize) -> io::Result<()> {
    match total - listed as u64 {
        0 => Ok(()),
        more => writeln!(out, "{prefix}and {more} more"),
    }
}

/// As in an ACK: the name without its ending.
fn stem(name: &str) -> &str {
    let gzip = name.strip_suffix(Compression::Gzip.extension());
    gzip.or_else(|| name.strip_suffix(Compression::Plain.extension())).unwrap_or(name)
}

fn as_json(name: &str, checked: &Checked) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "line": finding.line,
            "reference": finding.reference,
            "error": finding.error.name(),
            "text": finding.error.text(),
            "detail": finding.detail,
            "advice": finding.error.advice(),
        })
    };
    let warning =
        |warning: &Warning| json!({ "line": warning.line, "reference": warning.reference, "text": warning.text });
    json!({
        "name": name,
        "accepted": checked.is_accepted(),
        "lines": checked.lines,
        "sum": checked.sum.to_string(),
        "currency": checked.currency,
        "sha256": hex::encode(checked.sha256),
        "total_findings": checked.total_findings,
        "findings": checked.findings.iter().map(finding).collect::<Vec<_>>(),
        "total_warnings": checked.total_warnings,
        "warnings": checked.warnings.iter().map(warning).collect::<Vec<_>>(),
    })
}
