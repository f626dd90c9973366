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

/// The answer of a command: rows as a table, a resource as its fields.
pub(crate) fn answer(value: &Value, columns: &[&str]) -> Result<(), Problem> {
    let Value::Object(fields) = value else {
        return pretty(value);
    };
    let is_list = fields.values().any(Value::is_array);
    if !is_list {
        let resource = fields.values().find(|value| value.is_object());
        return out(&listed(resource.filter(|_| fields.len() == 1).unwrap_or(value)));
    }
    for (name, field) in fields {
        match (field, field.as_str()) {
            (Value::Array(rows), _) => out(&table(rows, columns))?,
            (_, Some("")) => {}
            (_, Some(token)) if name == "next_page_token" => {
                out(&format!("more with --page-token {token}\n"))?;
            }
            _ => out(&format!("{}\n", listed(field)))?,
        }
    }
    Ok(())
}

fn table(rows: &[Value], columns: &[&str]) -> String {
    let Some(first) = rows.first() else {
        return "nothing to list\n".to_owned();
    };
    // Rows of another kind, beside those that the columns were chosen for, show all their fields.
    let own: Vec<&str>;
    let columns = if columns.iter().any(|column| first.get(column).is_some()) {
        columns
    } else {
        own = first
            .as_object()
            .into_iter()
            .flat_map(|row| row.keys().map(String::as_str))
            .collect();
        &own
    };
    let mut lines = vec![columns.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>()];
    lines.extend(rows.iter().map(|row| {
        columns
            .iter()
            .map(|column| row.get(column).map(word).unwrap_or_default())
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

fn listed(value: &Value) -> String {
    let Value::Object(fields) = value else {
        return format!("{}\n", word(value));
    };
    let shown: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name, word(value)))
        .filter(|(_, word)| !word.is_empty())
        .collect();
    let width = shown.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    shown.iter().fold(String::new(), |mut text, (name, word)| {
        let _ = writeln!(text, "{name:width$}  {word}");
        text
    })
}

/// One value in one word: money as `5.25 USD`, enums without their prefix's noise, the rest as JSON.
fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(fields) => match (fields.get("amount"), fields.get("currency_code")) {
            (Some(Value::String(amount)), Some(Value::String(currency))) => format!("{amount} {currency}"),
            _ => value.to_string(),
        },
        Value::Array(items) if items.is_empty() => String::new(),
        Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_stand_under_their_names() {
        let rows = [
            json!({"work_id": "work_1", "max_price": {"currency_code": "USD", "amount": "5.25"}}),
            json!({"work_id": "work_22"}),
        ];
        let text = table(&rows, &["work_id", "max_price"]);
        assert_eq!(text, "WORK_ID  MAX_PRICE\nwork_1   5.25 USD\nwork_22\n");
        assert_eq!(table(&[], &["work_id"]), "nothing to list\n");
    }

    #[test]
    fn a_resource_is_told_field_by_field() {
        let text = listed(&json!({"id": "a", "regions": ["eu", "us"], "empty": "", "count": 3}));
        assert_eq!(text, "count    3\nid       a\nregions  eu, us\n");
    }
}
