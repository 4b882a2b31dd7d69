//! Lists as CSV files for people: streamed, so that a long list costs no more memory than a short one, and safe to open
//! in a spreadsheet.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

/// One line.
pub type Line = Vec<String>;

/// A download of this name: the heading, then the lines as they come, in portions of any size. When a portion fails the
/// download breaks off, so that nobody takes a part for the whole.
pub fn csv<S, E>(name: &str, heading: &[&str], portions: S) -> Response
where
    S: Stream<Item = Result<Vec<Line>, E>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let heading = vec![heading.iter().map(|&cell| cell.to_owned()).collect()];
    let body = stream::once(async move { Ok(heading) }).chain(portions).map(|portion| match portion {
        Ok(lines) => Ok(encode(&lines)),
        Err(error) => {
            tracing::error!(error = %error, "an export broke off");
            Err(error)
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, Body::from_stream(body)).into_response()
}

fn encode(lines: &[Line]) -> Bytes {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for line in lines {
        writer.write_record(line.iter().map(|cell| safe(cell))).expect("lines of one list are of one length");
    }
    writer.into_inner().expect("writing to memory does not fail").into()
}

/// A spreadsheet runs a cell that begins like a formula; an apostrophe in front makes it text. Control characters
/// that some spreadsheets skip before they look count as such a beginning.
fn safe(cell: &str) -> String {
    let first = cell.trim_start_matches([' ', '\u{feff}']).chars().next();
    match first {
        Some('=' | '+' | '-' | '@' | '|' | '%' | '\t' | '\r' | '\n') => format!("'{cell}"),
        Some('＝' | '＋' | '－' | '＠') => format!("'{cell}"),
        Some(_) | None => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_runs_in_a_spreadsheet() {
        let line = |cells: &[&str]| cells.iter().map(|&cell| cell.to_owned()).collect::<Line>();
        let bytes =
            encode(&[line(&["=1+1", " @SUM(A1)", "-2", "+49", "a=b"]), line(&["\ta", "x,\"y\"", "", "1.50", "ü"])]);
        let text = std::str::from_utf8(&bytes).unwrap();
        assert_eq!(text, "'=1+1,' @SUM(A1),'-2,'+49,a=b\r\n'\ta,\"x,\"\"y\"\"\",,1.50,ü\r\n");
    }
}
