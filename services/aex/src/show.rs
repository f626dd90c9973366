//! Prints answers: JSON for programs, tables for people.

use std::{
    fmt::Write as _,
    io::{IsTerminal as _, Write as _},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{home::hex, problem::Problem};

/// Writes to standard output; a reader that went away ends the command quietly.
pub(crate) fn out(text: &str) -> Result<(), Problem> {
    bytes(text.as_bytes())
}

/// Writes what need not be a text.
pub(crate) fn bytes(content: &[u8]) -> Result<(), Problem> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(content).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}

/// Tells where something runs. It runs on when nobody listens.
pub(crate) fn announce(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// One line of JSON.
pub(crate) fn line(value: &Value) -> Result<(), Problem> {
    out(&format!("{value}\n"))
}

/// JSON on several lines, as `jq` prints it.
pub(crate) fn pretty(value: &Value) -> Result<(), Problem> {
    out(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// The answer of a command: the fields of a resource, then each list as a table.
pub(crate) fn answer(value: &Value, columns: &[&str]) -> Result<(), Problem> {
    out(&told(value, columns, room()))
}

/// How many characters a line of the terminal holds; `None` when nobody looks at one, and a text may be as long as it is.
#[expect(
    clippy::disallowed_methods,
    reason = "how wide a terminal is, its shell says; it configures nothing"
)]
fn room() -> Option<usize> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let set = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let own = || rustix::termios::tcgetwinsize(&stdout).map(|size| usize::from(size.ws_col));
    set.or_else(|| own().ok()).filter(|width| *width > 0)
}

fn told(answer: &Value, columns: &[&str], room: Option<usize>) -> String {
    let Value::Object(fields) = answer else {
        return format!("{}\n", word("", answer));
    };
    // An answer that is one resource is shown without its envelope.
    let (kind, fields) = match fields.iter().next() {
        Some((kind, Value::Object(resource))) if fields.len() == 1 => (kind.as_str(), resource),
        _ => ("", fields),
    };
    let is_rows = |value: &Value| matches!(value, Value::Array(rows) if rows.iter().all(Value::is_object));
    let mut single = Vec::new();
    let mut more = String::new();
    let mut tables = String::new();
    let mut has_list = false;
    for (name, field) in fields {
        match field {
            // That a list is empty is worth a word only when no other list is shown.
            Value::Array(rows) if rows.is_empty() && !columns.is_empty() => has_list = true,
            Value::Array(rows) if is_rows(field) && !rows.is_empty() => {
                tables.push_str(&table(rows, columns, room));
            }
            Value::String(token) if name == "next_page_token" => {
                if !token.is_empty() {
                    let _ = writeln!(more, "more with --page-token {token}");
                }
            }
            _ => flatten(name, field, &mut single),
        }
    }
    // What it is and where it stands come first.
    let id = format!("{kind}_id");
    single.sort_by_key(|(name, _)| match name.as_str() {
        name if name == id => 0,
        "status" => 1,
        "status_reason" => 2,
        _ => 3,
    });
    if single.is_empty() && tables.is_empty() && columns.is_empty() {
        return "done\n".to_owned();
    }
    if tables.is_empty() && (single.is_empty() || has_list) {
        tables.push_str(NOTHING);
    }
    format!("{}{tables}{more}", listed(&single))
}

const NOTHING: &str = "nothing to list\n";
/// What stands between two columns.
const GAP: &str = "  ";
/// The least that is left of a cell.
const CELL: usize = 12;

fn table(rows: &[Value], columns: &[&str], room: Option<usize>) -> String {
    // Columns that no row has say nothing; rows of another kind than the columns were chosen for show all their fields.
    let mut columns: Vec<&str> = columns
        .iter()
        .copied()
        .filter(|column| rows.iter().any(|row| row.get(column).is_some()))
        .collect();
    if columns.is_empty() {
        let own = rows.first().and_then(Value::as_object).into_iter().flatten();
        columns = own.map(|(name, _)| name.as_str()).collect();
    }
    let mut lines = vec![columns.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>()];
    lines.extend(rows.iter().map(|row| {
        columns
            .iter()
            .map(|column| {
                row.get(column)
                    .map(|value| word(column, value))
                    .unwrap_or_default()
            })
            .collect()
    }));
    let mut widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            lines
                .iter()
                .filter_map(|line| line.get(at))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    if let Some(room) = room {
        narrow(&mut widths, &columns, room);
    }
    let mut text = String::new();
    for line in lines {
        let cells: Vec<_> = line
            .into_iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{:width$}", cut(cell, *width)))
            .collect();
        let _ = writeln!(text, "{}", cells.join(GAP).trim_end());
    }
    text
}

/// Takes from the widest column, again and again, until a line fits. Ids stay whole: they are there to be copied.
fn narrow(widths: &mut [usize], columns: &[&str], room: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > room {
        let texts = widths.iter_mut().zip(columns);
        let widest = texts
            .filter(|(width, name)| **width > CELL && !name.ends_with("_id"))
            .max_by_key(|(width, _)| **width);
        match widest {
            Some((width, _)) => *width -= 1,
            None => return,
        }
    }
}

fn cut(cell: String, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell;
    }
    let mut short: String = cell.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A field as name and word; what is inside of another thing is named after both.
fn flatten(name: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) if !is_money(value) => {
            for (inner, value) in fields {
                flatten(&format!("{name}.{inner}"), value, into);
            }
        }
        _ => {
            let last = name.rsplit('.').next().unwrap_or(name);
            into.push((name.to_owned(), word(last, value)));
        }
    }
}

fn listed(fields: &[(String, String)]) -> String {
    let shown = || fields.iter().filter(|(_, word)| !word.is_empty());
    let width = shown().map(|(name, _)| name.len()).max().unwrap_or(0);
    shown().fold(String::new(), |mut text, (name, word)| {
        let _ = writeln!(text, "{name:width$}  {word}");
        text
    })
}

fn is_money(value: &Value) -> bool {
    value.get("amount").is_some_and(Value::is_string)
        && value.get("currency_code").is_some_and(Value::is_string)
}

/// One value in one word: money as `5.25 USD`, enums without what their field says already, times to the second, the
/// rest as JSON.
fn word(name: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text_word(name, text),
        Value::Object(fields) => match (fields.get("amount"), fields.get("currency_code")) {
            (Some(Value::String(amount)), Some(Value::String(currency))) => format!("{amount} {currency}"),
            _ => value.to_string(),
        },
        Value::Array(items) => items
            .iter()
            .map(|item| word(name, item))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

fn text_word(name: &str, text: &str) -> String {
    // As `sha256sum` prints it.
    if name.ends_with("sha256") {
        return STANDARD
            .decode(text)
            .map_or_else(|_| text.to_owned(), |digest| hex(&digest));
    }
    if name.ends_with("_time") || name.ends_with("_deadline") {
        return match text.split_once('.') {
            Some((seconds, rest)) if rest.ends_with('Z') => format!("{seconds}Z"),
            _ => text.to_owned(),
        };
    }
    let is_shouted = text
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if !is_shouted || text.is_empty() {
        return text.to_owned();
    }
    // WORK_STATUS_OPEN, in the field `status`.
    let mark = format!("{}_", name.to_uppercase());
    match text.split_once(&mark) {
        Some((_, "UNSPECIFIED")) => String::new(),
        Some((_, rest)) if !rest.is_empty() => rest.to_lowercase(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_stand_under_their_names() {
        let works = json!({"works": [
            {"work_id": "work_1", "status": "WORK_STATUS_OPEN", "max_price": {"currency_code": "USD", "amount": "5.25"}},
            {"work_id": "work_22"},
        ], "next_page_token": "abc"});
        let columns = ["work_id", "status", "max_price", "nowhere"];
        assert_eq!(
            told(&works, &columns, None),
            "WORK_ID  STATUS  MAX_PRICE\nwork_1   open    5.25 USD\nwork_22\nmore with --page-token abc\n"
        );
        assert_eq!(
            told(&json!({"works": [], "next_page_token": ""}), &columns, None),
            NOTHING
        );
        assert_eq!(told(&json!({}), &columns, None), NOTHING);
        assert_eq!(told(&json!({}), &[], None), "done\n");
    }

    #[test]
    fn a_resource_is_told_field_by_field() {
        let text = told(
            &json!({"work": {
                "work_id": "a", "regions": ["eu", "us"], "empty": "", "count": 3, "status": "WORK_STATUS_OPEN",
                "create_time": "2026-01-02T03:04:05.678901Z",
                "constraints": {"max_latency": "3s", "fee": {"currency_code": "USD", "amount": "1"}},
            }}),
            &[],
            None,
        );
        assert_eq!(
            text,
            "work_id                  a\nstatus                   open\nconstraints.fee          1 USD\n\
             constraints.max_latency  3s\ncount                    3\ncreate_time              2026-01-02T03:04:05Z\n\
             regions                  eu, us\n"
        );
    }

    #[test]
    fn a_long_cell_is_cut_to_the_terminal_and_a_currency_is_no_enum() {
        let long = "x".repeat(90);
        let rows = json!({"rows": [{"formula": long, "currency_code": "USD"}]});
        let columns = ["currency_code", "formula"];
        let text = told(&rows, &columns, Some(40));
        assert!(
            text.ends_with(&format!("USD            {}…\n", "x".repeat(24))),
            "{text}"
        );
        for room in [None, Some(105), Some(500)] {
            let text = told(&rows, &columns, room);
            assert!(text.ends_with(&format!("USD            {long}\n")), "{text}");
        }
    }

    #[test]
    fn an_id_is_never_cut() {
        let id = "work_01h455vb4pex5vsknk084sn02q";
        let rows = json!({"rows": [{"work_id": id, "reason": "y".repeat(50)}]});
        let text = told(&rows, &["work_id", "reason"], Some(20));
        assert!(text.ends_with(&format!("{id}  {}…\n", "y".repeat(11))), "{text}");
    }

    #[test]
    fn an_empty_list_is_left_out_beside_another() {
        let columns = ["rank", "reason"];
        let ranked = json!({"ranked": [{"rank": 1}], "disqualified": []});
        assert_eq!(told(&ranked, &columns, None), "RANK\n1\n");
        let refused = json!({"ranked": [], "disqualified": [{"reason": "late"}]});
        assert_eq!(told(&refused, &columns, None), "REASON\nlate\n");
        let none = json!({"work_id": "w", "ranked": [], "disqualified": []});
        assert_eq!(told(&none, &columns, None), format!("work_id  w\n{NOTHING}"));
    }

    #[test]
    fn a_digest_is_shown_as_sha256sum_shows_it() {
        let text = told(&json!({"sha256": "AAH/", "payload_sha256": ""}), &[], None);
        assert_eq!(text, "sha256  0001ff\n");
    }
}
