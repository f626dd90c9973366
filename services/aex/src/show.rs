//! Prints answers: JSON for programs, tables for people.

use std::{fmt::Write as _, io::Write as _};

use serde_json::Value;

use crate::problem::Problem;

/// Writes to standard output; a reader that went away ends the command quietly.
pub(crate) fn out(text: &str) -> Result<(), Problem> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
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
    out(&told(value, columns))
}

fn told(answer: &Value, columns: &[&str]) -> String {
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
    for (name, field) in fields {
        match field {
            Value::Array(rows) if is_rows(field) && (!rows.is_empty() || !columns.is_empty()) => {
                tables.push_str(&table(rows, columns));
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
    if single.is_empty() && tables.is_empty() {
        tables.push_str(NOTHING);
    }
    format!("{}{tables}{more}", listed(&single))
}

const NOTHING: &str = "nothing to list\n";
/// The longest that one cell of a table is shown.
const CELL: usize = 60;

fn table(rows: &[Value], columns: &[&str]) -> String {
    let Some(first) = rows.first() else {
        return NOTHING.to_owned();
    };
    // Columns that no row has say nothing; rows of another kind than the columns were chosen for show all their fields.
    let mut columns: Vec<&str> = columns
        .iter()
        .copied()
        .filter(|column| rows.iter().any(|row| row.get(column).is_some()))
        .collect();
    if columns.is_empty() {
        let own = first.as_object().into_iter().flat_map(|row| row.keys());
        columns = own.map(String::as_str).collect();
    }
    let mut lines = vec![columns.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>()];
    lines.extend(rows.iter().map(|row| {
        columns
            .iter()
            .map(|column| {
                cut(row
                    .get(column)
                    .map(|value| word(column, value))
                    .unwrap_or_default())
            })
            .collect()
    }));
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            lines
                .iter()
                .filter_map(|line| line.get(at))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells: Vec<_> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

fn cut(cell: String) -> String {
    if cell.chars().count() <= CELL {
        return cell;
    }
    let mut short: String = cell.chars().take(CELL - 1).collect();
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
            told(&works, &columns),
            "WORK_ID  STATUS  MAX_PRICE\nwork_1   open    5.25 USD\nwork_22\nmore with --page-token abc\n"
        );
        assert_eq!(
            told(&json!({"works": [], "next_page_token": ""}), &columns),
            NOTHING
        );
        assert_eq!(told(&json!({}), &columns), NOTHING);
        assert_eq!(told(&json!({}), &[]), "done\n");
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
        );
        assert_eq!(
            text,
            "work_id                  a\nstatus                   open\nconstraints.fee          1 USD\n\
             constraints.max_latency  3s\ncount                    3\ncreate_time              2026-01-02T03:04:05Z\n\
             regions                  eu, us\n"
        );
    }

    #[test]
    fn a_long_cell_is_cut_and_a_currency_is_no_enum() {
        let rows = json!({"rows": [{"formula": "x".repeat(90), "currency_code": "USD"}]});
        let text = told(&rows, &["currency_code", "formula"]);
        assert!(
            text.ends_with(&format!("USD            {}…\n", "x".repeat(CELL - 1))),
            "{text}"
        );
    }
}
